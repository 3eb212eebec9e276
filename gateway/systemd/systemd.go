// Package systemd tells the service manager how the program is: that it serves, that it
// is alive, that it reads its configuration anew, that it ends. Without one, which shows by
// an environment without NOTIFY_SOCKET, it does nothing.
package systemd

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// beginEvery is how soon it is seen that the program answers.
const beginEvery = 20 * time.Millisecond

// Supervise runs serve, which ends some time after ctx is done. The service manager is told
// that the program is ready once ask has an answer and, if it watches (WatchdogSec), that it
// lives as long as ask has: a program that only runs, and answers nobody, is started anew.
func Supervise(ctx context.Context, log *slog.Logger, ask func(context.Context) error, serve func(context.Context) error) error {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return serve(ctx)
	}
	watched, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return err
	}
	s := supervision{log: log, ask: ask, every: watched / 4, ending: ctx.Done()}
	serving, ended := context.WithCancel(context.WithoutCancel(ctx))
	told := make(chan struct{})
	go func() {
		defer close(told)
		s.run(serving)
	}()
	defer func() { ended(); <-told }()
	return serve(ctx)
}

// Reloading says that the configuration is being read anew; Reloaded, that it has been, with
// whatever result. systemctl reload waits for the second.
func Reloading(log *slog.Logger) {
	say(log, daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec())
}

// Reloaded follows on Reloading.
func Reloaded(log *slog.Logger) { say(log, daemon.SdNotifyReady) }

// supervision belongs to one goroutine.
type supervision struct {
	log    *slog.Logger
	ask    func(context.Context) error
	every  time.Duration // between two questions, of which three may fail; 0: nobody watches
	ending <-chan struct{}
}

// run tells until ctx is done.
func (s *supervision) run(ctx context.Context) {
	tick := time.NewTicker(beginEvery)
	defer tick.Stop()
	for ready := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.ending:
			s.ending = nil
			say(s.log, daemon.SdNotifyStopping)
		case <-tick.C:
			switch answered := s.answered(ctx, ready); {
			case !answered:
			case !ready:
				ready = true
				say(s.log, daemon.SdNotifyReady)
				if s.every == 0 {
					tick.Stop()
				} else {
					tick.Reset(s.every)
				}
			default:
				say(s.log, daemon.SdNotifyWatchdog)
			}
		}
	}
}

// answered asks. That there is no answer yet at the beginning is no trouble.
func (s *supervision) answered(ctx context.Context, ready bool) bool {
	limit := s.every
	if limit == 0 {
		limit = time.Second
	}
	asking, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := s.ask(asking)
	if err != nil && ready && ctx.Err() == nil {
		s.log.Warn("the gateway does not answer itself: systemd ends it if that goes on", "error", err)
	}
	return err == nil
}

// say sends one state. A service manager that does not hear is nothing to fail of.
func say(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd was not told", "state", state, "error", err)
	}
}
