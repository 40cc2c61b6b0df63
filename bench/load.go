package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"brine/event"
	"brine/simulate"
)

// blob is the sample interaction of the design, with a place for an id.
const blob = `{"id":"%s","timestamp":%d,"event_stream":[["picker",732],["picker::change",1700],["picker::signin",2300]],` +
	`"email_type":"secondary","number_emails":3,"new_account":false,"language":"en_US","number_sites_logged_in":1,` +
	`"screen_size":{"width":640,"height":480},"sample_rate":1.0,"user_agent":{"os":"iOS","browser":"Safari","version":"5.1"}}`

// appEvent is an event of the stream app_session, with places for an id, an install and a time.
const appEvent = `{"$schema":"` + simulate.AppSchemaID + `","app_install_id":"816d2cef-93d1-4706-b15e-20155e9fca77","app_session_id":"aa6bdyezgytnfiqr0fnb",` +
	`"dt":"%[2]s","is_anon":true,"languages":["en","kn"],"length_ms":5561,"meta":{"dt":"%[2]s","id":"%[1]s","stream":"app_session"},"primary_language":"en",` +
	`"session_data":{"from_history":0,"from_internal":3,"from_search":1,"page_load_latency_ms":501,"total_pages":4}}`

const zeroID = "00000000-0000-4000-8000-000000000000"

// load sends interactions, or events of apps, over keep-alive connections, each with a fresh id: with Go's own HTTP
// client, or raw, where one request is one write of bytes made before, so that the load takes as
// little as it can of the processor that it shares with what it measures.
type load struct {
	addr        string
	connections int
	rate        float64 // requests a second over all connections; 0: as fast as they are answered
	duration    time.Duration
	raw         bool
	events      bool // to /v1/events
}

// result is what a load saw.
type result struct {
	requests, errors int
	took             time.Duration
	latencies        []time.Duration // sorted
}

func (r result) perSecond() float64 { return float64(r.requests) / r.took.Seconds() }

func (r result) percentile(p float64) time.Duration {
	if len(r.latencies) == 0 {
		return 0
	}
	return r.latencies[min(len(r.latencies)-1, int(p*float64(len(r.latencies))))]
}

func (l load) run() (result, error) {
	template, idAt, err := l.request()
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.duration)
	defer cancel()
	results, failures := make([]result, l.connections), make([]error, l.connections)
	began := time.Now()
	var all sync.WaitGroup
	for i := range l.connections {
		all.Go(func() {
			c := connection{load: l, began: began, index: i, request: bytes.Clone(template), idAt: idAt}
			results[i], failures[i] = c.run(ctx)
		})
	}
	all.Wait()
	sum := result{took: time.Since(began)}
	for i, r := range results {
		if failures[i] != nil {
			return sum, failures[i]
		}
		sum.requests += r.requests
		sum.errors += r.errors
		sum.latencies = append(sum.latencies, r.latencies...)
	}
	slices.Sort(sum.latencies)
	return sum, nil
}

// path is where the load goes, and status what it has to be answered.
func (l load) path() (path string, status int) {
	if l.events {
		return "/v1/events", http.StatusCreated
	}
	return "/wsapi/interaction_data", http.StatusOK
}

// request makes the bytes of a POST and says where in them the id is.
func (l load) request() (request []byte, idAt int, err error) {
	if l.events {
		body := fmt.Sprintf(appEvent, zeroID, time.Now().UTC().Format(time.RFC3339))
		request = fmt.Appendf(nil, "POST /v1/events HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
			"User-Agent: App/2.7 (Android 14; Phone)\r\nContent-Length: %d\r\n\r\n%s", l.addr, len(body), body)
		return request, bytes.Index(request, []byte(zeroID)), nil
	}
	return l.interaction()
}

// interaction makes the bytes of a POST with a session and a token of its own.
func (l load) interaction() (request []byte, idAt int, err error) {
	res, err := http.Get("http://" + l.addr + "/wsapi/session_context")
	if err != nil {
		return nil, 0, err
	}
	defer res.Body.Close()
	var session struct {
		CSRF string `json:"csrf_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&session); err != nil {
		return nil, 0, err
	}
	cookie := ""
	for _, c := range res.Cookies() {
		cookie = c.Name + "=" + c.Value
	}
	body := fmt.Sprintf(`{"csrf":%q,"data":`+blob+`}`, session.CSRF, zeroID, event.FloorMillis(time.Now().UnixMilli()))
	request = fmt.Appendf(nil, "POST /wsapi/interaction_data HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nCookie: %s\r\n"+
		"User-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS 5_1 like Mac OS X)\r\nContent-Length: %d\r\n\r\n%s", l.addr, cookie, len(body), body)
	return request, bytes.Index(request, []byte(zeroID)), nil
}

type connection struct {
	load    load
	began   time.Time
	index   int
	request []byte
	idAt    int
	client  *http.Client // of exchange
	header  http.Header
}

func (c *connection) run(ctx context.Context) (r result, err error) {
	exchange := c.exchange
	if c.load.raw {
		conn, err := net.Dial("tcp", c.load.addr)
		if err != nil {
			return r, err
		}
		defer conn.Close()
		answers := bufio.NewReader(conn)
		exchange = func() (int, error) {
			if _, err := conn.Write(c.request); err != nil {
				return 0, err
			}
			return readAnswer(answers)
		}
	}
	ids := rand.NewChaCha8([32]byte{byte(c.index), byte(time.Now().UnixNano()), byte(time.Now().UnixNano() >> 8), byte(time.Now().UnixNano() >> 16)})
	for n := 0; ctx.Err() == nil; n++ {
		sent := c.due(n)
		if wait := time.Until(sent); wait > 0 {
			time.Sleep(wait)
		}
		putID(c.request[c.idAt:], ids)
		if c.load.rate == 0 {
			sent = time.Now()
		}
		status, err := exchange()
		if err != nil {
			return r, err
		}
		r.requests++
		if _, want := c.load.path(); status != want {
			r.errors++
		}
		r.latencies = append(r.latencies, time.Since(sent))
	}
	return r, nil
}

// exchange is one request with Go's HTTP client.
func (c *connection) exchange() (status int, err error) {
	head, body, _ := bytes.Cut(c.request, []byte("\r\n\r\n"))
	if c.client == nil {
		c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
		parsed, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(append(bytes.Clone(head), "\r\n\r\n"...))))
		if err != nil {
			return 0, err
		}
		c.header = parsed.Header
	}
	path, _ := c.load.path()
	req, err := http.NewRequest(http.MethodPost, "http://"+c.load.addr+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = c.header
	res, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, err
}

// due is when request n should be sent, so that a slow answer does not hide the wait of the next.
func (c *connection) due(n int) time.Time {
	if c.load.rate == 0 {
		return time.Time{}
	}
	each := float64(time.Second) * float64(c.load.connections) / c.load.rate
	return c.began.Add(time.Duration(each * (float64(n) + float64(c.index)/float64(c.load.connections))))
}

func putID(at []byte, ids *rand.ChaCha8) {
	var id [16]byte
	ids.Read(id[:])
	var digits [32]byte
	hex.Encode(digits[:], id[:])
	copy(at[0:8], digits[0:8])
	copy(at[9:13], digits[8:12])
	copy(at[15:18], digits[13:16]) // the version stays 4
	copy(at[20:23], digits[17:20]) // the variant stays 8
	copy(at[24:36], digits[20:32])
}

// readAnswer reads one answer with a Content-Length and gives its status.
func readAnswer(r *bufio.Reader) (status int, err error) {
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if first && len(line) > 12 {
			status, _ = strconv.Atoi(string(line[9:12]))
		}
		if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(v))
		}
		if len(line) == 0 {
			_, err := r.Discard(length)
			return status, err
		}
	}
}
