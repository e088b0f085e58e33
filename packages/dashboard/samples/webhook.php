<?php

// The signature is over the bytes as they came: never decode and encode first.
$body = file_get_contents('php://input');
$expected = hash_hmac('sha1', $body, getenv('WEBHOOK_SECRET'));
$given = $_SERVER['HTTP_X_VERCEL_SIGNATURE'] ?? '';
if (!hash_equals($expected, $given)) {
    http_response_code(403);
    exit('invalid signature');
}

$event = json_decode($body, true);
error_log($event['type'] . ' ' . $event['id']);
echo 'ok';
