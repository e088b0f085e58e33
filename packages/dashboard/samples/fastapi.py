import hashlib
import hmac
import json
import os

from fastapi import FastAPI, HTTPException, Request

app = FastAPI()


@app.post("/webhook")
async def webhook(request: Request):
    # The signature is over the bytes as they came: never parse and dump first.
    body = await request.body()
    secret = os.environ["WEBHOOK_SECRET"].encode()
    expected = hmac.new(secret, body, hashlib.sha1).hexdigest()
    given = request.headers.get("x-vercel-signature", "")
    if not hmac.compare_digest(expected.encode(), given.encode()):
        raise HTTPException(status_code=403, detail="invalid signature")

    event = json.loads(body)
    print(event["type"], event["id"])
    return "ok"
