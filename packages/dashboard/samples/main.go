package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"os"
)

func webhook(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	// The signature is over the bytes as they came: never decode and encode first.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
	if err != nil {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	mac := hmac.New(sha1.New, []byte(os.Getenv("WEBHOOK_SECRET")))
	mac.Write(body)
	given, err := hex.DecodeString(r.Header.Get("x-vercel-signature"))
	if err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		http.Error(w, "invalid signature", http.StatusForbidden)
		return
	}

	var event struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(body, &event); err != nil {
		http.Error(w, "invalid body", http.StatusBadRequest)
		return
	}
	log.Println(event.Type, event.ID)
	w.Write([]byte("ok"))
}

func main() {
	http.HandleFunc("/webhook", webhook)
	port := os.Getenv("PORT")
	if port == "" {
		port = "3000"
	}
	log.Fatal(http.ListenAndServe(":"+port, nil))
}
