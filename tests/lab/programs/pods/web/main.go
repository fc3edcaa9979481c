// Command web is what tests run in pods: `web` answers HTTP on port 8080 with its host's name, `web get URL` prints what a
// URL answers. With DATA set it keeps a counter in the file `visits` of that folder, so that a test sees a volume's data.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "get" {
		if err := get(os.Args[2]); err != nil {
			fail(err)
		}
		return
	}
	fail(serve())
}

func get(url string) error {
	client := http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(os.Stdout, answer.Body)
	return err
}

func serve() error {
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	folder := os.Getenv("DATA")
	var lock sync.Mutex
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		if folder == "" {
			fmt.Fprintf(w, "hello from %s\n", host)
			return
		}
		visits, err := count(filepath.Join(folder, "visits"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprintf(w, "hello from %s, visit %d\n", host, visits)
	})
	return http.ListenAndServe(":8080", nil)
}

// count adds one to the number in the file and returns it.
func count(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return 0, err
	}
	before, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return before + 1, os.WriteFile(file, []byte(strconv.Itoa(before+1)), 0o644)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "web:", err)
	os.Exit(1)
}
