// Package libnbd stands where libguestfs.org/libnbd would: that one is not published as a module. CDI's importer asks it for
// the disks of a VMware system; here it answers that it cannot.
package libnbd

import "errors"

var errMissing = errors.New("this importer is built without libnbd: disks of VMware cannot be imported")

// Names and numbers of the NBD protocol, as libnbd has them.
const (
	CMD_FLAG_REQ_ONE = 8

	STATE_HOLE = 1
	STATE_ZERO = 2
)

// LibnbdError is a refusal of libnbd.
type LibnbdError struct{ Op, Errmsg string }

// Error says what was refused.
func (refused *LibnbdError) Error() string { return refused.Op + ": " + refused.Errmsg }

// ExtentCallback is told runs of blocks in one state.
type ExtentCallback func(context string, offset uint64, entries []uint32, problem *int) int

// BlockStatusOptargs are options of BlockStatus.
type BlockStatusOptargs struct {
	Flags    uint32
	FlagsSet bool
}

// PreadOptargs are options of Pread.
type PreadOptargs struct{}

// Libnbd is a connection, of which there is none.
type Libnbd struct{}

// Create makes no connection.
func Create() (*Libnbd, error) { return nil, errMissing }

// Close ends a connection.
func (*Libnbd) Close() *LibnbdError { return nil }

// AddMetaContext asks for a kind of state.
func (*Libnbd) AddMetaContext(string) error { return errMissing }

// ConnectUri connects to an address.
func (*Libnbd) ConnectUri(string) error { return errMissing }

// GetSize tells the size of the disk.
func (*Libnbd) GetSize() (uint64, error) { return 0, errMissing }

// Pread reads.
func (*Libnbd) Pread([]byte, uint64, *PreadOptargs) error { return errMissing }

// BlockStatus tells the state of blocks.
func (*Libnbd) BlockStatus(uint64, uint64, ExtentCallback, *BlockStatusOptargs) error {
	return errMissing
}
