// Command shop serves the files of a folder over HTTP, whole or in parts as an importer of disks asks for them:
//
//	shop FOLDER
//
// It listens on port 8080.
package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: shop FOLDER"))
	}
	fail(http.ListenAndServe(":8080", http.FileServer(http.Dir(os.Args[1]))))
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "shop:", err)
	os.Exit(1)
}
