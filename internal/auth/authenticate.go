package auth

import (
	"context"
	"crypto/subtle"
	"net/netip"
	"strings"
	"time"

	"granary/internal/access"
	"granary/internal/fault"
)

// Credentials are those of a request, unchanged. An empty one was not sent.
type Credentials struct {
	PrivateToken  string // query private_token, else header PRIVATE-TOKEN
	Bearer        string // header Authorization: Bearer, else query access_token
	JobToken      string // query job_token, else token, else header JOB-TOKEN
	DeployToken   string // header DEPLOY-TOKEN
	HasBasic      bool
	BasicUser     string
	BasicPassword string

	From netip.Addr // the client's address, by which failures are counted
}

// address is the client's as audit events have it.
func (c Credentials) address() string {
	if !c.From.IsValid() {
		return ""
	}
	return c.From.String()
}

// Doors says which credentials a route takes besides personal access tokens. It ignores
// the others.
type Doors struct {
	JobTokens    bool
	DeployTokens bool
	Basic        bool
	Rotates      bool // using a revoked token on this route revokes its whole rotation family
}

// Token is a credential of a request that is on record. Exactly one of Personal, Deploy,
// Job and Session is set.
type Token struct {
	Digest   SecretDigest
	Personal *PersonalToken
	Deploy   *DeployToken
	Job      *Job
	Session  *Session
	Origin   *PersonalToken // of Session: the token that it came from; nil for none
	User     User           // of Personal, Job and Session
}

// Tokens looks credentials up.
type Tokens interface {
	// FindToken returns the token with the digest, even if it is expired or revoked.
	// It returns NotFound if there is none, or if its owner was deleted. A session is no
	// token: Sessions.FindSession finds it.
	FindToken(ctx context.Context, d SecretDigest) (Token, error)
	// TouchTokens records when personal access tokens, by id, were last used.
	TouchTokens(ctx context.Context, at map[int64]time.Time) error
}

// The words for a credential that was valid before (contract rest-api 1.3).
const (
	expiredText = "Token is expired. You can either do re-authorization or token refresh."
	revokedText = "Token was revoked. You have to re-authorize from the user."
	blockedText = "Your account has been blocked. Ask an administrator to unblock it."
)

const (
	ciUser    = "gitlab-ci-token" // the user name that a job token needs in Basic
	maxSecret = 4096              // bytes; no secret is longer
)

// alive reports whether the token is valid now.
func (t Token) alive(now time.Time) bool {
	switch {
	case t.Deploy != nil:
		return t.Deploy.Active(now)
	case t.Personal != nil:
		return t.Personal.Active(now) && !t.User.Blocked
	case t.Session != nil:
		return t.activeSession(now)
	}
	return t.Job != nil && t.Job.Running(now) && !t.User.Blocked
}

// Authenticate turns credentials into an actor, in the order of contract
// generic-packages 4.2. Without credentials, or with unknown ones that the contract
// ignores, it returns the anonymous actor. A client that failed too often gets the error
// of throttle.Logins.
func (s *Service) Authenticate(ctx context.Context, c Credentials, d Doors) (access.Actor, error) {
	for _, step := range [...]func(*Service, context.Context, Credentials, Doors) (access.Actor, bool, error){
		(*Service).byDeployToken, (*Service).byBearerJob, (*Service).byPersonalToken,
		(*Service).byBasicPassword, (*Service).byJobToken,
	} {
		if a, found, err := step(s, ctx, c, d); found || err != nil {
			a.Address = c.address()
			return a, err
		}
	}
	return access.Actor{Address: c.address()}, nil
}

func (s *Service) byDeployToken(ctx context.Context, c Credentials, d Doors) (access.Actor, bool, error) {
	secret := c.DeployToken
	switch {
	case !d.DeployTokens:
		return access.Actor{}, false, nil
	case c.HasBasic:
		secret = c.BasicPassword
	case secret == "":
		secret = c.Bearer
	}
	t, err := s.find(ctx, secret, c.From, ofToken)
	if err != nil || t.Deploy == nil || !t.Deploy.Active(s.Now()) {
		return access.Actor{}, false, err
	}
	return access.Actor{
		Kind: access.DeployToken, TokenID: t.Deploy.ID, Username: t.Deploy.Username, Name: t.Deploy.Name, Scopes: t.Deploy.Scopes,
	}, true, nil
}

func (s *Service) byBearerJob(ctx context.Context, c Credentials, d Doors) (access.Actor, bool, error) {
	if !d.JobTokens || c.Bearer == "" {
		return access.Actor{}, false, nil
	}
	t, err := s.find(ctx, c.Bearer, c.From, ofToken)
	if err != nil || t.Job == nil || !t.Job.Running(s.Now()) {
		return access.Actor{}, false, err
	}
	a, err := jobActor(t)
	return a, true, err
}

func (s *Service) byPersonalToken(ctx context.Context, c Credentials, d Doors) (access.Actor, bool, error) {
	secret := c.PrivateToken
	if secret == "" {
		secret = c.Bearer
	}
	if secret == "" || isJobSecret(secret) {
		return access.Actor{}, false, nil
	}
	t, err := s.find(ctx, secret, c.From, ofToken)
	if err != nil {
		return access.Actor{}, false, err
	}
	if t.Personal == nil {
		return access.Actor{}, false, fault.New(fault.Unauthenticated, "")
	}
	if t.Personal.Revoked && d.Rotates {
		thief := access.Actor{Address: c.address()}
		if err := s.revokeFamily(ctx, thief, t.Personal.ID); err != nil {
			return access.Actor{}, false, err
		}
	}
	a, err := s.personalActor(t)
	return a, true, err
}

func (s *Service) byBasicPassword(ctx context.Context, c Credentials, d Doors) (access.Actor, bool, error) {
	if !d.Basic || !c.HasBasic {
		return access.Actor{}, false, nil
	}
	t, err := s.find(ctx, c.BasicPassword, c.From, ofToken)
	if err != nil || t.Personal == nil {
		return access.Actor{}, false, err
	}
	a, err := s.personalActor(t)
	return a, true, err
}

func (s *Service) byJobToken(ctx context.Context, c Credentials, d Doors) (access.Actor, bool, error) {
	if !d.JobTokens {
		return access.Actor{}, false, nil
	}
	secret := c.JobToken
	if d.Basic && c.HasBasic && c.BasicUser == ciUser {
		secret = c.BasicPassword
	}
	if secret == "" {
		return access.Actor{}, false, nil
	}
	t, err := s.find(ctx, secret, c.From, ofToken)
	if err != nil {
		return access.Actor{}, false, err
	}
	if t.Job == nil || !t.Job.Running(s.Now()) {
		return access.Actor{}, false, fault.New(fault.Unauthenticated, "")
	}
	a, err := jobActor(t)
	return a, true, err
}

func isJobSecret(secret string) bool {
	return strings.HasPrefix(secret, jobPrefix) || strings.HasPrefix(secret, gitlabJob)
}

// find looks a secret of a sort up for a client; for an unknown one it returns the zero
// Token.
func (s *Service) find(ctx context.Context, secret string, from netip.Addr, of sort) (Token, error) {
	if secret == "" || len(secret) > maxSecret {
		return Token{}, nil
	}
	digest := DigestOf(secret)
	if err := s.Logins.Admit(from, digest); err != nil {
		return Token{}, err
	}
	t, err := s.lookUp(ctx, digest, of)
	switch {
	case err != nil:
	case t.alive(s.Now()):
		s.Logins.Good(digest)
	default:
		s.Logins.Bad(from, digest)
	}
	return t, err
}

// sort is what a secret is expected to be. It is no function, which each request would
// allocate.
type sort bool

const (
	ofToken   sort = false
	ofSession sort = true
)

func (s *Service) lookUp(ctx context.Context, digest SecretDigest, of sort) (t Token, err error) {
	if of == ofSession {
		t, err = s.Records.FindSession(ctx, digest)
	} else {
		t, err = s.Records.FindToken(ctx, digest)
	}
	if fault.Is(err, fault.NotFound) {
		return Token{}, nil
	}
	if err != nil {
		return Token{}, err
	}
	if subtle.ConstantTimeCompare(digest[:], t.Digest[:]) != 1 {
		return Token{}, nil
	}
	return t, nil
}

func (s *Service) personalActor(t Token) (access.Actor, error) {
	now := s.Now()
	switch {
	case t.Personal.Revoked:
		return access.Actor{}, fault.New(fault.DeadToken, revokedText)
	case t.Personal.Expired(now):
		return access.Actor{}, fault.New(fault.DeadToken, expiredText)
	case t.User.Blocked:
		return access.Actor{}, fault.New(fault.Denied, blockedText)
	}
	s.used.note(t.Personal.ID, now)
	a := userActor(t.User, t.Personal.Scopes)
	a.TokenID = t.Personal.ID
	return a, nil
}

func userActor(u User, scopes []access.Scope) access.Actor {
	return access.Actor{
		Kind: access.User, UserID: u.ID, Username: u.Username, Name: u.Name,
		Admin: u.Admin, External: u.External, MayGroup: u.CanCreateGroup, Bot: u.Bot, Home: u.Home, Scopes: scopes,
	}
}

// ActorOfJob is the actor of a job, also after its end, for what is left to do in its name.
// Denied if its user is blocked.
func (s *Service) ActorOfJob(ctx context.Context, projectID, jobID int64) (access.Actor, error) {
	j, err := s.Records.FindJob(ctx, projectID, jobID)
	if err != nil {
		return access.Actor{}, err
	}
	return jobActor(Token{Job: &j, User: j.User})
}

func jobActor(t Token) (access.Actor, error) {
	if t.User.Blocked {
		return access.Actor{}, fault.New(fault.Denied, blockedText)
	}
	a := userActor(t.User, nil)
	a.Kind, a.JobID, a.JobProjectID, a.JobPipelineID = access.Job, t.Job.ID, t.Job.ProjectID, t.Job.PipelineID
	a.JobProject = t.Job.ProjectPath
	return a, nil
}

// Sudo lets an administrator's token with the scope sudo act as another user,
// named by id or user name (contract rest-api 1.2).
func (s *Service) Sudo(ctx context.Context, a access.Actor, ref string) (access.Actor, error) {
	switch {
	case a.Kind == access.Anonymous:
		return a, fault.New(fault.Unauthenticated, "")
	case !a.Admin:
		return a, fault.New(fault.Denied, "Must be admin to use sudo")
	case a.Kind != access.User:
		return a, fault.New(fault.Denied, "Must be authenticated using an OAuth or personal access token to use sudo")
	case !a.Has(access.ScopeSudo):
		return a, &fault.Error{Kind: fault.InsufficientScope, Scopes: []string{string(access.ScopeSudo)}}
	}
	u, err := s.Records.FindUser(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return a, fault.New(fault.Absent, "404 User with ID or username '"+ref+"' Not Found")
	}
	if err != nil {
		return a, err
	}
	if u.Blocked {
		return a, fault.New(fault.Denied, blockedText)
	}
	as := userActor(u, a.Scopes)
	as.TokenID = a.TokenID // "self" is still the token in use
	as.Address, as.SudoID, as.SudoUsername = a.Address, a.UserID, a.Username
	return as, nil
}
