// SPDX-License-Identifier: Apache-2.0

// Command feedbackbridge-operator runs a bot for every FeedbackBridge in a cluster.
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"time"
	_ "time/tzdata" // the image has no time zones of its own, and spec.telegram.timeZone is checked against them

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/feedbackbridge/feedbackbridge/controllers"
	"github.com/feedbackbridge/feedbackbridge/controllers/plugin"
	"github.com/feedbackbridge/feedbackbridge/controllers/selftest"
)

// version is set by the linker (-X main.version=...).
var version = "dev"

// envBotImage is read where --bot-image is not given.
const envBotImage = "FEEDBACKBRIDGE_BOT_IMAGE"

// leaderElectionID names the Lease of the active operator.
const leaderElectionID = "operator.feedbackbridge.dev"

func main() {
	cmd := command()
	if plugin.IsName(os.Args[0]) {
		cmd = plugin.Command(version)
	}
	if err := cmd.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, cmd.Name()+":", err)
		os.Exit(1)
	}
}

// election is how replicas agree on the one that works.
type election struct {
	enabled                                   bool
	namespace                                 string
	leaseDuration, renewDeadline, retryPeriod time.Duration
}

// flags are named as in Kubernetes' own components.
func (e *election) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&e.enabled, "leader-elect", false, "work only while holding a Lease, so that several replicas can run")
	f.StringVar(&e.namespace, "leader-elect-resource-namespace", "", "the Lease's namespace; the pod's own unless given")
	f.DurationVar(&e.leaseDuration, "leader-elect-lease-duration", 15*time.Second,
		"how long a replica waits for a leader that has fallen silent")
	f.DurationVar(&e.renewDeadline, "leader-elect-renew-deadline", 10*time.Second,
		"how long a leader that cannot renew its Lease works on; shorter than the lease's duration")
	f.DurationVar(&e.retryPeriod, "leader-elect-retry-period", 2*time.Second, "how often the Lease is renewed, or asked for")
}

type options struct {
	botImage        string
	apiServerPorts  []int32
	watchNamespaces []string
	metricsAddress  string
	metricsSecure   bool
	healthAddress   string
	pprofAddress    string
	election        election
	concurrency     int
	qps             float32
	burst           int
	logLevel        slog.Level
}

func command() *cobra.Command {
	o := options{botImage: os.Getenv(envBotImage)}
	if o.botImage == "" {
		o.botImage = "ghcr.io/feedbackbridge/feedbackbridge-bot:" + version
	}
	cmd := &cobra.Command{
		Use:           "feedbackbridge-operator",
		Short:         "Run a bot for every FeedbackBridge in the cluster",
		Version:       version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.botImage, "bot-image", o.botImage, "the bot's image where a bridge names none; also "+envBotImage)
	f.Int32SliceVar(&o.apiServerPorts, "api-server-ports", controllers.DefaultAPIServerPorts,
		"the API server's ports, at its Service and behind it, that the bots' NetworkPolicies let out")
	f.StringSliceVar(&o.watchNamespaces, "watch-namespaces", nil, "the namespaces to work in, separated by commas; all unless given")
	f.StringVar(&o.metricsAddress, "metrics-bind-address", "0", "where metrics are served, such as :8443; 0 for nowhere")
	f.BoolVar(&o.metricsSecure, "metrics-secure", true, "serve metrics by HTTPS, to those whom the API server lets get /metrics")
	f.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "where /healthz and /readyz are served; 0 for nowhere")
	f.StringVar(&o.pprofAddress, "pprof-bind-address", "0", "where Go's profiles are served to everybody who can connect, such as 127.0.0.1:6060; 0 for nowhere")
	o.election.flags(cmd)
	f.IntVar(&o.concurrency, "concurrency", 8, "how many bridges are worked on at a time")
	f.Float32Var(&o.qps, "kube-api-qps", -1, "requests a second to the API server; -1 for no limit but its own priority and fairness")
	f.IntVar(&o.burst, "kube-api-burst", 0, "requests at once above --kube-api-qps")
	f.TextVar(&o.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	cmd.AddCommand(selftest.Command())
	cmd.AddCommand(plugin.Command(version).Commands()...)
	return cmd
}

func run(ctx context.Context, o options) error {
	logger := logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: o.logLevel}))
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)

	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster: %w", err)
	}
	config.UserAgent = "feedbackbridge-operator/" + version
	config.QPS, config.Burst = o.qps, o.burst
	echoes := &controllers.Echoes{}
	mgr, err := ctrl.NewManager(config, o.manager(echoes))
	if err != nil {
		return fmt.Errorf("set up the manager: %w", err)
	}
	reconciler := &controllers.Reconciler{
		Client:         mgr.GetClient(),
		Live:           mgr.GetAPIReader(),
		Echoes:         echoes,
		Recorder:       mgr.GetEventRecorder(controllers.ControllerName),
		BotImage:       o.botImage,
		APIServerPorts: o.apiServerPorts,
		Now:            time.Now,
	}
	if err := reconciler.SetupWithManager(ctx, mgr, o.concurrency); err != nil {
		return err
	}
	if err := metrics.Registry.Register(&controllers.Collector{Reader: mgr.GetCache(), Now: time.Now}); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up /healthz: %w", err)
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("set up /readyz: %w", err)
	}
	logger.Info("starting", "version", version, "botImage", o.botImage, "namespaces", o.watchNamespaces)
	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("run the operator: %w", err)
	}
	return nil
}

func (o options) manager(echoes *controllers.Echoes) ctrl.Options {
	serve := metricsserver.Options{BindAddress: o.metricsAddress}
	if o.metricsSecure {
		serve.SecureServing = true
		serve.FilterProvider = filters.WithAuthenticationAndAuthorization
		// HTTP/2 has let strangers tie up servers before; a scrape gains nothing by it.
		serve.TLSOpts = []func(*tls.Config){func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }}
	}
	return ctrl.Options{
		Scheme:                  controllers.Scheme(),
		Cache:                   controllers.CacheOptions(o.watchNamespaces, echoes),
		Metrics:                 serve,
		HealthProbeBindAddress:  o.healthAddress,
		PprofBindAddress:        o.pprofAddress,
		LeaderElection:          o.election.enabled,
		LeaderElectionID:        leaderElectionID,
		LeaderElectionNamespace: o.election.namespace,
		LeaseDuration:           &o.election.leaseDuration,
		RenewDeadline:           &o.election.renewDeadline,
		RetryPeriod:             &o.election.retryPeriod,
		// The process ends when the manager does, so the next leader need not wait for the Lease to run out.
		LeaderElectionReleaseOnCancel: true,
	}
}
