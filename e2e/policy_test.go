package e2e

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// privacy asks the public door for a page; headers come in pairs. A redirect is not followed.
func (b *brine) privacy(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	req, err := http.NewRequest("GET", b.public+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	res, err := plain.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, body}
}

// contains says whether all these texts are there.
func contains(body []byte, texts ...string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(string(body), text) })
}
