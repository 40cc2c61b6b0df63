package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bare" {
		mux := http.NewServeMux()
		mux.HandleFunc("/wsapi/session_context", func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "brine_session", Value: "AAAAAAAAAAAAAAAAAAAAAA"})
			io.WriteString(w, `{"csrf_token":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`)
		})
		mux.HandleFunc("/wsapi/interaction_data", func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"success":true,"stored":1}`)
		})
		http.ListenAndServe("127.0.0.1:9180", mux)
		return
	}
	bare := exec.Command(os.Args[0], "bare")
	bare.Start()
	defer bare.Process.Kill()
	time.Sleep(300 * time.Millisecond)
	for range 3 {
		for _, addr := range []string{"127.0.0.1:9180", "127.0.0.1:9080"} {
			r, err := load{addr: addr, connections: 64, duration: 5 * time.Second}.run()
			fmt.Println(addr, err, int(r.perSecond()), r.errors, r.percentile(.5), r.percentile(.99))
		}
	}
}
