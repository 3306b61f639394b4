package cli

func explain(env Env, err error) error { return err }
