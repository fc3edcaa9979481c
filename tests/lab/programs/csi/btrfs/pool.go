package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// pool is a folder of a btrfs: subvolumes below volumes/ and snapshots/, what was asked of each beside it in a file.
type pool struct {
	folder string
	// One change at a time: the same request may come twice at once.
	lock *sync.Mutex
}

// record is what was asked of a volume or snapshot.
type record struct {
	Bytes  int64     `json:"bytes"`
	Source string    `json:"source,omitempty"`
	Made   time.Time `json:"made"`
}

func openPool(folder string) (pool, error) {
	for _, kind := range []string{"volumes", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(folder, kind), 0o755); err != nil {
			return pool{}, err
		}
	}
	return pool{folder: folder, lock: &sync.Mutex{}}, nil
}

// volume is the place of a volume. A name is never a path.
func (p pool) volume(id string) string { return filepath.Join(p.folder, "volumes", filepath.Base(id)) }

func (p pool) snapshot(id string) string {
	return filepath.Join(p.folder, "snapshots", filepath.Base(id))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// make makes a subvolume and its record; from is what it is a copy of, or empty.
func (p pool) make(path, from string, readOnly bool, what record) error {
	arguments := []string{"subvolume", "create", path}
	if from != "" {
		arguments = []string{"subvolume", "snapshot", from, path}
		if readOnly {
			arguments = []string{"subvolume", "snapshot", "-r", from, path}
		}
	}
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	// The record first: a subvolume without one would be there for ever.
	if err := os.WriteFile(path+".json", text, 0o600); err != nil {
		return failed(err)
	}
	if err := btrfs(arguments...); err != nil {
		return err
	}
	if from == "" {
		return failed(os.Chmod(path, 0o777))
	}
	return nil
}

// read is what was asked of a volume or snapshot.
func read(path string) (record, error) {
	var what record
	text, err := os.ReadFile(path + ".json")
	if err == nil {
		err = json.Unmarshal(text, &what)
	}
	return what, failed(err)
}

// remove removes a subvolume and its record; nothing where there is none.
func remove(path string) error {
	if exists(path) {
		if err := btrfs("subvolume", "delete", path); err != nil {
			return err
		}
	}
	if err := os.Remove(path + ".json"); err != nil && !os.IsNotExist(err) {
		return failed(err)
	}
	return nil
}

func btrfs(arguments ...string) error {
	output, err := exec.Command("btrfs", arguments...).CombinedOutput()
	if err != nil {
		return status.Errorf(codes.Internal, "btrfs %v: %v: %s", arguments, err, output)
	}
	return nil
}

func failed(err error) error {
	if err == nil {
		return nil
	}
	return status.Error(codes.Internal, err.Error())
}
