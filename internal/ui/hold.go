package ui

func (s *Server) packageRoutes() []route { return nil }
