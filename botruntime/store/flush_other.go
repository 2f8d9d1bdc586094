// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package store

import "os"

// flush has the disk keep what was written to a file.
func flush(f *os.File) error { return f.Sync() }
