package trace

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestFilters: every part of a filter must let a record through.
func TestFilters(t *testing.T) {
	r := &Record{Bucket: "b", Operation: "GetObject", Key: "a/k", Status: 404, Whole: true, Took: time.Second}
	for _, c := range []struct {
		filter Filter
		takes  bool
	}{
		{Filter{}, true},
		{Filter{Bucket: "b", Operation: "getobject", Prefix: "a/", Status: "404", Slower: time.Second, Errors: true}, true},
		{Filter{Bucket: "c"}, false},
		{Filter{Operation: "PutObject"}, false},
		{Filter{Prefix: "b/"}, false},
		{Filter{Status: "4xx"}, true},
		{Filter{Status: "5xx"}, false},
		{Filter{Status: "403"}, false},
		{Filter{Slower: 2 * time.Second}, false},
	} {
		if err := c.filter.Check(); err != nil || c.filter.takes(r) != c.takes {
			t.Errorf("%+v: %v", c.filter, err)
		}
	}
	if (Filter{Errors: true}).takes(&Record{Status: 200, Whole: true}) || !(Filter{Errors: true}).takes(&Record{Status: 200}) {
		t.Error("what broke off is an error, and what did not is none")
	}
	if (Filter{Status: "2xx"}).takes(&Record{}) {
		t.Error("no answer at all has a status")
	}
	for _, wrong := range []Filter{{Status: "xx"}, {Status: "6xx"}, {Status: "ok"}, {Status: "42"}, {Status: "4x"}, {Slower: -1}} {
		if wrong.Check() == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}

// TestManyTracers: each gets what its filter lets through while others come and go; who is
// slow misses some, knows how many, and holds nobody up.
func TestManyTracers(t *testing.T) {
	var h Hub
	if h.Active() {
		t.Error("somebody looks")
	}
	slow, err := h.Look(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	const records = 4 * ahead
	var tracers sync.WaitGroup
	for i := range maxTracers - 1 {
		tracers.Go(func() {
			mine, err := h.Look(Filter{Bucket: fmt.Sprint(i)})
			if err != nil {
				t.Error(err)
				return
			}
			defer mine.Close()
			for range 10 {
				if r := <-mine.Next(); r.Bucket != fmt.Sprint(i) {
					t.Errorf("%d got %+v", i, r)
				}
			}
		})
	}
	stop := make(chan struct{})
	var sending sync.WaitGroup
	for range 4 {
		sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					h.Send(&Record{Bucket: fmt.Sprint(n % maxTracers)})
				}
			}
		})
	}
	tracers.Wait()
	close(stop)
	sending.Wait()
	for range records {
		h.Send(&Record{})
	}
	if len(slow.Next()) != ahead || slow.Missed() < records-ahead || slow.Missed() != 0 {
		t.Errorf("%d wait", len(slow.Next()))
	}
	slow.Close()
	slow.Close()
	if h.Active() {
		t.Error("somebody still looks")
	}
	var all []*Tracer
	for range maxTracers {
		tracer, err := h.Look(Filter{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tracer)
	}
	if _, err := h.Look(Filter{}); err == nil {
		t.Error("there is no bound")
	}
	for _, tracer := range all {
		tracer.Close()
	}
}

// TestCalls: the calls of a request are noted while they run, a bounded number of them, and
// what is shown of them changes no more.
func TestCalls(t *testing.T) {
	if From(t.Context()) != nil {
		t.Error("calls are noted where nobody looks")
	}
	ctx, calls := With(t.Context())
	if From(ctx) != calls {
		t.Error("they are not found")
	}
	end := calls.Begin("old", "GetObject")
	list, _ := calls.Seen()
	if len(list) != 1 || list[0].Outcome != UnderWay || list[0].Store != "old" {
		t.Errorf("%+v", list)
	}
	end("ok")
	if list[0].Outcome != UnderWay {
		t.Error("what was shown changed")
	}
	for range maxCalls + 4 {
		calls.Begin("new", "HeadObject")("unavailable")
	}
	list, more := calls.Seen()
	if len(list) != maxCalls || more != 5 || list[0].Outcome != "ok" || list[1].Outcome != "unavailable" {
		t.Errorf("%d, %d more: %+v", len(list), more, list)
	}
	var nobody *Calls
	nobody.Begin("old", "GetObject")("ok")
	if list, more := nobody.Seen(); list != nil || more != 0 {
		t.Errorf("%v, %d", list, more)
	}
}
