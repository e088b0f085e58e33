require 'json'
require 'openssl'

# A Rack application: `rackup`, or mounted in Rails with `mount Webhook => '/webhook'`.
Webhook = lambda do |env|
  # The signature is over the bytes as they came: never parse and generate first.
  body = env['rack.input'].read
  expected = OpenSSL::HMAC.hexdigest('SHA1', ENV.fetch('WEBHOOK_SECRET'), body)
  given = env.fetch('HTTP_X_VERCEL_SIGNATURE', '')
  unless OpenSSL.secure_compare(expected, given)
    next [403, { 'content-type' => 'text/plain' }, ['invalid signature']]
  end

  event = JSON.parse(body)
  puts "#{event['type']} #{event['id']}"
  [200, { 'content-type' => 'text/plain' }, ['ok']]
end

run Webhook
