// A client written from the generated stubs alone, with the default limits of grpc-go.
//
//	client HOST:PORT cutoff   submits, watches, is cut off in the middle, goes on after the last sequence
//	client HOST:PORT large    reads 1,000 results of 100 KiB
//
// Prints what it saw as one JSON object; a fault ends it with status 1.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	orchestratorv1 "github.com/greenlight-run/greenlight/gen/go/greenlight/orchestrator/v1"
)

type client struct {
	orchestratorv1.OrchestratorServiceClient
	ctx context.Context
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: client HOST:PORT cutoff|large")
	}
	connection, err := grpc.NewClient(os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(err)
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	c := client{orchestratorv1.NewOrchestratorServiceClient(connection), ctx}
	scenarios := map[string]func() map[string]any{"cutoff": c.cutoff, "large": c.large}
	scenario, known := scenarios[os.Args[2]]
	if !known {
		log.Fatalf("no scenario %q", os.Args[2])
	}
	must(json.NewEncoder(os.Stdout).Encode(scenario()))
}

// Watches a batch of one-after-another waits, loses the stream, and takes it up again.
func (c client) cutoff() map[string]any {
	id := c.submit(chain(30, 0.03))
	first, head := c.watch(id, 0, 20)
	rest, _ := c.watch(id, head, 0)
	all, _ := c.watch(id, 0, 0)
	return map[string]any{
		"batch_id":   id,
		"before_cut": first.sequences,
		"after_cut":  rest.sequences,
		"all":        all.sequences,
		"state":      rest.summary.GetBatch().GetState().String(),
		"succeeded":  rest.summary.GetBatch().GetCounts().GetSucceeded(),
	}
}

func (c client) large() map[string]any {
	const count, kib = 1000, 100
	specs := make([]*orchestratorv1.ProposalSpec, count)
	for i := range specs {
		specs[i] = proposal(fmt.Sprintf("large%d", i), "large", fmt.Sprintf(`{"kib":%d}`, kib))
	}
	id := c.submit(specs)
	got, _ := c.watch(id, 0, 0)
	answers, omitted := 0, 0
	for _, answer := range got.summary.GetAnswers() {
		answers++
		if answer.GetOmitted() {
			omitted++
		}
	}
	one, err := c.GetProposal(c.ctx, &orchestratorv1.GetProposalRequest{ProposalId: id + "/large999"})
	must(err)
	return map[string]any{
		"results":         got.results,
		"result_bytes":    got.resultBytes,
		"largest_message": got.largest,
		"answers":         answers + int(got.summary.GetOmittedAnswers()),
		"omitted":         omitted + int(got.summary.GetOmittedAnswers()),
		"one_result":      len(one.GetProposal().GetResultJson()),
		"state":           got.summary.GetBatch().GetState().String(),
	}
}

func (c client) submit(specs []*orchestratorv1.ProposalSpec) string {
	response, err := c.SubmitBatch(c.ctx, &orchestratorv1.SubmitBatchRequest{
		Batch: &orchestratorv1.BatchSpec{
			Source: &orchestratorv1.BatchSpec_Proposals{Proposals: &orchestratorv1.ProposalList{Items: specs}},
		},
	})
	must(err)
	return response.GetBatch().GetBatchId()
}

type watched struct {
	sequences   []int64
	results     int
	resultBytes int
	largest     int
	summary     *orchestratorv1.Summary
}

// Reads the stream after `resumeAfter` to its end, or cuts it off once `cutAfter` events have come (0 = never).
func (c client) watch(id string, resumeAfter int64, cutAfter int) (watched, int64) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stream, err := c.WatchBatch(ctx, &orchestratorv1.WatchBatchRequest{BatchId: id, ResumeAfter: resumeAfter})
	must(err)
	var got watched
	head := resumeAfter
	for {
		response, err := stream.Recv()
		if err == io.EOF {
			return got, head
		}
		if cutAfter > 0 && status.Code(err) == codes.Canceled {
			return got, head
		}
		must(err)
		frame := response.GetFrame()
		got.take(frame)
		if events := frame.GetEvents(); len(events) > 0 {
			head = events[len(events)-1].GetSequence()
		}
		if cutAfter > 0 && len(got.sequences) >= cutAfter {
			cancel()
			return got, head
		}
	}
}

func (w *watched) take(frame *orchestratorv1.EventFrame) {
	size := 0
	for _, event := range frame.GetEvents() {
		w.sequences = append(w.sequences, event.GetSequence())
		if done := event.GetProposalSucceeded(); done != nil {
			w.results++
			size += len(done.GetResultJson())
		}
	}
	w.resultBytes += size
	w.largest = max(w.largest, size)
	if frame.GetSummary() != nil {
		w.summary = frame.GetSummary()
	}
}

// Proposals that run one after another.
func chain(count int, seconds float64) []*orchestratorv1.ProposalSpec {
	specs := make([]*orchestratorv1.ProposalSpec, count)
	for i := range specs {
		specs[i] = proposal(fmt.Sprintf("step%d", i), "wait", fmt.Sprintf(`{"seconds":%g}`, seconds))
		if i > 0 {
			specs[i].DependsOn = []*orchestratorv1.Dependency{{Key: specs[i-1].Key}}
		}
	}
	return specs
}

func proposal(key, tool, arguments string) *orchestratorv1.ProposalSpec {
	return &orchestratorv1.ProposalSpec{
		Key:             key,
		Tool:            tool,
		ArgumentsSource: &orchestratorv1.ProposalSpec_ArgumentsJson{ArgumentsJson: arguments},
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
