package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"sluice/backends"
	"sluice/backends/s3"
	"sluice/gateway/migrate"
	"sluice/test/process"
	"sluice/test/servers"
)

var (
	crawlSmall = flag.Int("crawl-small", 5000, "small objects of 8–64 KiB to copy")
	crawlLarge = flag.Int("crawl-large", 20, "objects of 500 MiB to copy")
)

// BenchmarkCrawl copies the same bucket between the same two servers by the crawl, by
// rclone and by mc, in turns, each into a bucket of its own:
//
//	go test ./test/bench -run - -bench Crawl -benchtime 1x -timeout 60m
func BenchmarkCrawl(b *testing.B) {
	old, new := servers.MinIO(b), servers.Versity(b)
	for _, c := range []struct {
		name        string
		n           int
		least, most int64
	}{
		{"8-64 KiB", *crawlSmall, 8 << 10, 64 << 10},
		{"500 MiB", *crawlLarge, 500 << 20, 500<<20 + 1},
	} {
		if c.n == 0 {
			continue
		}
		bucket := fmt.Sprintf("source-%d", c.n)
		source := old.Store(b, "old", bucket)
		fillStore(b, source, c.n, c.least, c.most)
		took := map[string][]time.Duration{}
		for round := range rounds {
			for _, way := range []struct {
				name string
				run  func(*testing.B, *servers.Server, *servers.Server, string, string, *s3.Store) time.Duration
			}{{"sluice", bySluice}, {"rclone", byRclone}, {"mc", byMC}} {
				target := fmt.Sprintf("%s-%d-%d", way.name, c.n, round)
				store := new.Store(b, "new", target)
				d := way.run(b, old, new, bucket, target, source)
				took[way.name] = append(took[way.name], d)
				b.Logf("%d objects of %s, %s: %v", c.n, c.name, way.name, d.Round(10*time.Millisecond))
				empty(b, store, c.n)
			}
		}
		best := min(least(took["rclone"]), least(took["mc"]))
		ours := least(took["sluice"])
		b.Logf("%d objects of %s: sluice %.1f s, rclone %.1f s, mc %.1f s; %.2f of the best one's time", c.n, c.name,
			ours.Seconds(), least(took["rclone"]).Seconds(), least(took["mc"]).Seconds(), ours.Seconds()/best.Seconds())
	}
}

func least(all []time.Duration) time.Duration {
	shortest := all[0]
	for _, d := range all {
		shortest = min(shortest, d)
	}
	return shortest
}

// bySluice counts from the command to the moment at which the backfill is finished.
func bySluice(b *testing.B, old, new *servers.Server, from, to string, source *s3.Store) time.Duration {
	g := process.StartBefore(b, process.Of(old, from), process.Of(new, to), "")
	defer g.Kill(b)
	operator := g.Operator(b)
	began := time.Now()
	if _, err := operator.Command(b.Context(), process.Bucket, migrate.Start, migrate.Order{}); err != nil {
		b.Fatal(err)
	}
	var last migrate.Status
	process.Eventually(b, 20*time.Minute, func(ctx context.Context) error {
		list, err := operator.Buckets(ctx)
		if err != nil {
			return err
		}
		if last = list[0]; !last.Backfilled || last.Backfill.State != migrate.Finished {
			return errors.New("not finished")
		}
		return nil
	})
	took := time.Since(began)
	// The next round is another migration of the same bucket.
	if _, err := source.Delete(b.Context(), backends.DeleteRequest{Key: ".sluice/marker.json"}); err != nil {
		b.Fatal(err)
	}
	return took
}

// byRclone runs it with the flags that were the fastest of those tried.
func byRclone(b *testing.B, old, new *servers.Server, from, to string, _ *s3.Store) time.Duration {
	var env []string
	for name, s := range map[string]*servers.Server{"SRC": old, "DST": new} {
		prefix := "RCLONE_CONFIG_" + name + "_"
		env = append(env, prefix+"TYPE=s3", prefix+"PROVIDER=Other", prefix+"ENDPOINT="+s.Endpoint,
			prefix+"ACCESS_KEY_ID="+s.AccessKey, prefix+"SECRET_ACCESS_KEY="+s.SecretKey)
	}
	return timed(b, env, servers.Tool(b, "rclone"), "copy", "src:"+from, "dst:"+to, "--transfers", "32", "--checkers", "32",
		"--fast-list", "--no-check-dest", "--s3-no-check-bucket", "--s3-no-head", "--s3-upload-cutoff", "1G",
		"--s3-upload-concurrency", "4", "--retries", "1", "--config", os.DevNull)
}

func byMC(b *testing.B, old, new *servers.Server, from, to string, _ *s3.Store) time.Duration {
	host := func(s *servers.Server) string {
		return "http://" + s.AccessKey + ":" + s.SecretKey + "@" + strings.TrimPrefix(s.Endpoint, "http://")
	}
	return timed(b, []string{"MC_HOST_src=" + host(old), "MC_HOST_dst=" + host(new), "MC_CONFIG_DIR=" + b.TempDir()},
		servers.Tool(b, "mc"), "mirror", "--quiet", "src/"+from, "dst/"+to)
}

func timed(b *testing.B, env []string, words ...string) time.Duration {
	cmd := exec.CommandContext(b.Context(), words[0], words[1:]...)
	cmd.Env = append(os.Environ(), env...)
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", words, err, out)
	}
	return time.Since(began)
}

// fillStore puts objects of random sizes on a store.
func fillStore(b *testing.B, s *s3.Store, n int, least, most int64) {
	var puts errgroup.Group
	puts.SetLimit(8)
	sizes := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		size := least + sizes.Int64N(most-least)
		puts.Go(func() error {
			body := io.LimitReader(rand.NewChaCha8([32]byte{byte(i)}), size)
			_, err := s.Put(b.Context(), backends.PutRequest{Key: fmt.Sprintf("media/%03d/%05d", i%100, i), Body: body, Size: size})
			return err
		})
	}
	if err := puts.Wait(); err != nil {
		b.Fatal(err)
	}
}

// empty counts what a copy has brought, and makes room for the next.
func empty(b *testing.B, s *s3.Store, want int) {
	var found []string
	for o, err := range backends.Walk(b.Context(), s, backends.ListRequest{}) {
		if err != nil {
			b.Fatal(err)
		}
		found = append(found, o.Key)
		if strings.HasPrefix(o.Key, ".sluice/") {
			want++
		}
	}
	if len(found) != want {
		b.Errorf("%d objects were copied, not %d", len(found), want)
	}
	var removals errgroup.Group
	removals.SetLimit(16)
	for _, key := range found {
		removals.Go(func() error {
			_, err := s.Delete(b.Context(), backends.DeleteRequest{Key: key})
			return err
		})
	}
	if err := removals.Wait(); err != nil {
		b.Fatal(err)
	}
}
