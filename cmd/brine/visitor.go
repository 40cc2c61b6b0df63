package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"time"

	"brine/simulate"
)

// sendOne is one simulated user: a session of its own, and one interaction.
func sendOne(ctx context.Context, door string, source *simulate.Source) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: 10 * time.Second}
	var session struct {
		CSRF string `json:"csrf_token"`
	}
	if err := call(ctx, browser, http.MethodGet, door+"/wsapi/session_context", nil, &session); err != nil {
		return err
	}
	body := fmt.Appendf(nil, `{"csrf":%q,"data":`, session.CSRF)
	body = append(source.AppendInteraction(body, time.Now()), '}')
	return call(ctx, browser, http.MethodPost, door+"/wsapi/interaction_data", body, nil)
}

func call(ctx context.Context, browser *http.Client, method, url string, body []byte, answer any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := browser.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", req.URL.Path, res.Status)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(res.Body).Decode(answer)
}
