package deploy

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// TestAlerts: Prometheus takes the rules, their expressions and their templates. That the
// metrics are there the gateway's own tests see to.
func TestAlerts(t *testing.T) {
	rules, errs := rulefmt.Parse(read(t, "deploy/alerts.yaml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if rules == nil || len(rules.Groups) == 0 || len(rules.Groups[0].Rules) == 0 {
		t.Fatal("there are no rules")
	}
}

// panel is one of a dashboard's.
type panel struct {
	ID      int
	Type    string
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }
}

// TestDashboard: Prometheus understands what every panel asks, once Grafana has put in the
// variables; panels do not lie on each other, and each variable is one that there is.
func TestDashboard(t *testing.T) {
	var board struct {
		Title, UID string
		Panels     []panel
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(read(t, "deploy/grafana.json"), &board); err != nil {
		t.Fatal(err)
	}
	put := []string{"$__rate_interval", "1m"}
	for _, v := range board.Templating.List {
		put = append(put, "$"+v.Name, ".*")
	}
	grafana, prometheus := strings.NewReplacer(put...), parser.NewParser(parser.Options{})
	taken := make(map[[2]int]string)
	ids := make(map[int]bool)
	asked := 0
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("%s: the id %d is another's", p.Title, p.ID)
		}
		ids[p.ID] = true
		if (p.Type == "row") != (len(p.Targets) == 0) {
			t.Errorf("%s asks %d things", p.Title, len(p.Targets))
		}
		for _, target := range p.Targets {
			asked++
			query := grafana.Replace(target.Expr)
			if strings.Contains(query, "$") {
				t.Errorf("%s: a variable is not there: %s", p.Title, query)
			}
			if _, err := prometheus.ParseExpr(query); err != nil {
				t.Errorf("%s: %v in %s", p.Title, err, query)
			}
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, there := taken[at]; there || at[0] >= 24 {
					t.Fatalf("%s lies on %q, or beyond the edge", p.Title, other)
				}
				taken[at] = p.Title
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d things are asked", asked)
	}
}
