//go:build !linux

package doctor

import "errors"

func volumeOf(string) (volume, error) {
	return volume{}, errors.New("what the directory is on can be told on Linux alone")
}

func openFiles() (limit uint64, known bool) { return 0, false }
