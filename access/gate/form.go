package gate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"mime"
	"net/http"
)

// maxForm is the size of a form's body, in bytes.
const maxForm = 16 << 10

// FormToken is what the forms of a person's pages hold as csrf, and scripts of these pages send as X-CSRF-Token: a page
// of another site cannot know it.
func (g *Gate) FormToken(p Person) string { return g.formToken(p.cookie) }

func (g *Gate) formToken(cookie string) string {
	m := hmac.New(sha256.New, g.key[:])
	m.Write([]byte(cookie))
	return hex.EncodeToString(m.Sum(nil))
}

// checkForm wants the token that belongs to the cookie, beside what [http.CrossOriginProtection] has looked at.
func (g *Gate) checkForm(w http.ResponseWriter, r *http.Request, cookie string) error {
	sent := r.Header.Get("X-CSRF-Token")
	if sent == "" && isForm(r) {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		sent = r.PostFormValue("csrf")
	}
	if cookie == "" || !hmac.Equal([]byte(sent), []byte(g.formToken(cookie))) {
		return errors.New("the form is too old, or not from here: load the page again and send it from there")
	}
	return nil
}

func isForm(r *http.Request) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "application/x-www-form-urlencoded"
}
