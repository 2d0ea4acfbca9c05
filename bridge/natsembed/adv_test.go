package natsembed_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/crisp-go/crisp/bridge/natsembed"
	"github.com/nats-io/nats.go/jetstream"
)

func TestAdvDisk(t *testing.T) {
	dir := "/tmp/k/advdisk"
	s, err := natsembed.Start(natsembed.Options{Dir: dir + "/data"})
	if err != nil { t.Fatal(err) }
	js := connect(t, s)
	ctx := t.Context()
	_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Storage: jetstream.FileStorage})
	if err != nil { t.Fatal(err) }
	big := make([]byte, 100_000)
	acked := 0
	try := func(n int) {
		for i := range n {
			c, cancel := context.WithTimeout(ctx, time.Second)
			_, err := js.Publish(c, "s.a", big)
			cancel()
			if err != nil { fmt.Println("publish", i, "acked", acked, err); return }
			acked++
		}
		fmt.Println("all fine, acked", acked)
	}
	_ = os.WriteFile(dir+"/fill", make([]byte, 4_000_000), 0o600)
	try(100)
	try(1)
	_ = os.Remove(dir + "/fill")
	fmt.Println("freed")
	try(3)
	time.Sleep(2*time.Second)
	try(3)
	_, err = js.Stream(ctx, "S")
	fmt.Println("info", err)
	_ = s.Shutdown(ctx)
	s, err = natsembed.Start(natsembed.Options{Dir: dir + "/data"})
	if err != nil { t.Fatal(err) }
	js = connect(t, s)
	st, err := js.Stream(ctx, "S")
	if err != nil { t.Fatal(err) }
	fmt.Println("after restart", st.CachedInfo().State.Msgs, "acked", acked)
	try(3)
	_ = s.Shutdown(ctx)
}
