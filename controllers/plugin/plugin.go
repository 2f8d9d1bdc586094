// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"path/filepath"
	"strings"
	"sync"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// IsName tells whether a program was started under the plug-in's name, as kubectl does: kubectl-feedbackbridge, or
// kubectl-fbb for short.
func IsName(argv0 string) bool {
	name := strings.TrimSuffix(filepath.Base(argv0), ".exe")
	return name == "kubectl-feedbackbridge" || name == "kubectl-fbb"
}

// Command is the plug-in's root command. Its subcommands may be moved to another root.
func Command(version string) *cobra.Command {
	return newCommand(version, func(f *connectFlags, cmd *cobra.Command) (*session, error) { return f.connect(cmd, version) })
}

func newCommand(version string, connect connector) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-feedbackbridge",
		Short: "Look after FeedbackBridges: status, rotate, doctor, send-test, tickets",
		Long: "Look after FeedbackBridges with your own rights in the cluster.\n\n" +
			"It is kubectl's plug-in where a program of this name is on the PATH: kubectl feedbackbridge status",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl feedbackbridge"},
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		// kubectl asks plug-ins for completion in a way of its own.
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.AddCommand(statusCommand(connect), rotateCommand(connect), doctorCommand(connect), sendTestCommand(connect),
		ticketsCommand(connect))
	// So that -n and its like may stand before a subcommand, as with kubectl; each has its own, which take the values.
	anywhere := &cobra.Command{}
	(&connectFlags{}).register(anywhere)
	root.PersistentFlags().AddFlagSet(anywhere.Flags())
	for _, cmd := range root.Commands() {
		run := cmd.RunE
		cmd.RunE = func(cmd *cobra.Command, args []string) error { return printableError(run(cmd, args)) }
	}
	return root
}

// connector makes the session that a command works in.
type connector func(*connectFlags, *cobra.Command) (*session, error)

// quiet keeps the libraries' logs from the terminal: what matters is in the errors.
var quiet = sync.OnceFunc(func() {
	ctrllog.SetLogger(logr.Discard())
	klog.SetLogger(logr.Discard())
})
