// SPDX-License-Identifier: Apache-2.0

// Command image writes a container image, from scratch and without a container engine, around one static binary.
// The result is a docker-archive tarball, which `ctr images import`, `docker load` and `kind load image-archive` read.
// Equal inputs give equal bytes.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/spf13/cobra"
)

func main() {
	if err := command().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var s spec
	var repoTag, output string
	var files []string
	cmd := &cobra.Command{
		Use:           "image --binary PATH --name REPO:TAG --output FILE.tar",
		Short:         "Write an image from scratch around a static binary",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(*cobra.Command, []string) error {
			for _, f := range files {
				src, dst, found := strings.Cut(f, ":")
				if !found {
					return fmt.Errorf("--file %q: want SRC:DST", f)
				}
				s.files = append(s.files, file{src: src, dst: dst, mode: 0o644})
			}
			return write(s, repoTag, output)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&s.binary, "binary", "", "static ELF binary; its header gives the image's architecture")
	flags.StringVar(&repoTag, "name", "", "name of the image, REPO:TAG")
	flags.StringVar(&s.entrypoint, "entrypoint", "/app", "absolute path of the binary in the image, and its entry point")
	flags.StringVar(&s.user, "user", "65532:65532", "UID:GID that the image runs as")
	flags.StringArrayVar(&files, "file", nil, "SRC:DST, another file for the image (repeatable), such as a CA bundle")
	flags.StringVar(&output, "output", "", "tarball to write")
	for _, required := range []string{"binary", "name", "output"} {
		if err := cmd.MarkFlagRequired(required); err != nil {
			panic(err) // a typing error in the list above
		}
	}
	return cmd
}

// write puts the tarball in place only when it is complete.
func write(s spec, repoTag, output string) error {
	tag, err := name.NewTag(repoTag, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("--name: %w", err)
	}
	img, err := build(s)
	if err != nil {
		return err
	}
	partial := output + ".partial"
	if err := tarball.WriteToFile(partial, tag, img); err != nil {
		return fmt.Errorf("write %s: %w", partial, err)
	}
	return os.Rename(partial, output)
}
