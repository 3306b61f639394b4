package s3

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// copiesAtOnce is how many steps of one copy go side by side: stores take one
// byte after the other in each.
const copiesAtOnce = 4

// copy copies an object inside the store. A body larger than a step
// is copied in parts: a store copies no more than 5 GiB at once, and a step should end
// before a timeout.
func (s *Store) copy(ctx context.Context, from string, to aim, size int64) error {
	var err error
	if size <= s.copyStep {
		err = s.client.copyAll(ctx, from, to)
	} else {
		err = s.copyParts(ctx, from, to, size)
	}
	if err != nil {
		return err
	}
	switch o, err := s.client.head(ctx, to.key); {
	case err != nil:
		return err
	case o.size != size:
		return errors.New("the copy has another size")
	}
	return nil
}

func (s *Store) copyParts(ctx context.Context, from string, to aim, size int64) error {
	id, err := s.client.begin(ctx, to)
	if err != nil {
		return err
	}
	step := max(s.copyStep, (size+mostParts-1)/mostParts)
	etags := make([]string, (size+step-1)/step)
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(copiesAtOnce)
	for i := range etags {
		group.Go(func() (err error) {
			offset := int64(i) * step
			etags[i], err = s.client.copyPart(running, from, offset, min(step, size-offset), to.key, id, i)
			return err
		})
	}
	if err = group.Wait(); err == nil {
		err = s.client.finish(ctx, to, id, etags)
	}
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	return errors.Join(err, s.client.forget(ctx, to.key, id))
}
