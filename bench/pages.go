package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"
)

const (
	pageAsked = 20 // times, warm
	pageWarm  = 300 * time.Millisecond
	pageCold  = 2 * time.Second
)

// pageChange is the change whose page is asked for.
const pageChange = "bench"

// boardPages are the pages that tell figures of all days, and the routes that tell programs the same.
var boardPages = []string{"/", "/flow", "/segments", "/changes/" + pageChange,
	"/api/v1/kpi/overview", "/api/v1/kpi/funnel", "/api/v1/kpi/segments", "/api/v1/kpi/changes/" + pageChange}

// pageReaders are the roles that pages are asked for with: who sees all figures, and who sees none that rest on few.
var pageReaders = []string{"analyst", "viewer"}

// pages asks for each page of days, with a filter and without, as each reader, through the private door of a brine that serves the data folder: cold,
// of one that was just begun, and then again and again.
func (s *suite) pages(data string, from, to time.Time) ([]figure, error) {
	var cold, warm []time.Duration
	var slowest string
	for _, role := range pageReaders {
		for _, only := range []string{"", "browser:Firefox"} {
			for _, page := range boardPages {
				if role == "viewer" && only != "" && strings.HasSuffix(page, "/segments") {
					continue // a viewer may narrow by a segment or tell apart by one, not both
				}
				route := kpiRoute(page, only, from, to)
				times, err := s.timePage(data, role, route, from.Add(to.Sub(from)/2))
				if err != nil {
					return nil, err
				}
				if cold = append(cold, times[0]); times[0] == slices.Max(cold) {
					slowest = route + " as " + role
				}
				warm = append(warm, times[1:]...)
			}
		}
	}
	slices.Sort(warm)
	p95 := warm[len(warm)*95/100]
	return []figure{
		{name: fmt.Sprintf("%d pages of %d days, cold: the slowest, %s", len(cold), int(to.Sub(from).Hours()/24), slowest),
			measured: slices.Max(cold).Round(time.Millisecond).String(), target: "at most 2 s", met: slices.Max(cold) <= pageCold},
		{name: "the same, warm: p95", measured: p95.Round(10 * time.Microsecond).String(), target: "at most 300 ms", met: p95 <= pageWarm},
	}, nil
}

// kpiRoute is a page of days; that of a change has days of its own.
func kpiRoute(page, only string, from, to time.Time) string {
	var params []string
	if !strings.HasSuffix(page, pageChange) {
		params = append(params, "from="+from.Format(time.DateOnly), "to="+to.Format(time.DateOnly))
	}
	if only != "" {
		params = append(params, "only="+only)
	}
	return page + "?" + strings.Join(params, "&")
}

// timePage gives the times of a page, the first of which was asked of a brine that was just begun.
func (s *suite) timePage(data, role, route string, change time.Time) (times []time.Duration, err error) {
	brine, err := s.loginBrine(data, role)
	if err != nil {
		return nil, err
	}
	defer brine.stop()
	if strings.Contains(route, pageChange) {
		if err := s.addChange(data, change); err != nil {
			return nil, err
		}
	}
	accept := "text/html"
	if strings.HasPrefix(route, "/api/") {
		accept = "application/json"
	}
	var cold []byte
	for range 1 + pageAsked {
		began := time.Now()
		res, err := brine.read(route, accept)
		for errors.Is(err, errLater) && time.Since(began) < time.Minute { // it has only begun
			time.Sleep(10 * time.Millisecond)
			res, err = brine.read(route, accept)
		}
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(began))
		if cold == nil {
			cold = body
		}
		if strings.HasPrefix(route, "/api/") && !bytes.Equal(body, cold) {
			return nil, fmt.Errorf("GET %s: cold it is %d bytes, and not the same %d warm", route, len(cold), len(body))
		}
		if len(times) == 1 && strings.HasPrefix(route, "/api/v1/kpi/overview") && !strings.Contains(route, "only=") {
			if err := counted(body); err != nil {
				return nil, err
			}
		}
	}
	return times, nil
}

// addChange says what was changed, unless it was said before.
func (s *suite) addChange(data string, at time.Time) error {
	config := s.configOf(data)
	if out, err := exec.Command(s.brine, "change", "list", "--config", config).CombinedOutput(); err == nil && strings.Contains(string(out), pageChange) {
		return nil
	}
	out, err := exec.Command(s.brine, "change", "add", pageChange, "--at", at.Format(time.RFC3339), "--moves", "sign_in", "--config", config).CombinedOutput()
	if err != nil {
		return fmt.Errorf("brine change add: %w: %s", err, out)
	}
	return nil
}
