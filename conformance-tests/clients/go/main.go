// A relying party by go-oidc and golang.org/x/oauth2. What it is told and what it answers: ../README.md.
package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type told struct {
	Issuer                string `json:"issuer"`
	ClientID              string `json:"client_id"`
	ClientSecret          string `json:"client_secret"`
	RedirectURI           string `json:"redirect_uri"`
	PostLogoutRedirectURI string `json:"post_logout_redirect_uri"`
	Scope                 string `json:"scope"`
}

var lines = bufio.NewScanner(os.Stdin)

func main() {
	err := visit(context.Background())
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		say(map[string]any{"error": refused.ErrorCode})
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func visit(ctx context.Context) error {
	lines.Buffer(nil, 1<<20)
	var t told
	if err := json.Unmarshal([]byte(read()), &t); err != nil {
		return err
	}
	provider, err := oidc.NewProvider(ctx, t.Issuer)
	if err != nil {
		return err
	}
	var more struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&more); err != nil {
		return err
	}
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // client_secret_basic
	config := oauth2.Config{
		ClientID:     t.ClientID,
		ClientSecret: t.ClientSecret,
		Endpoint:     endpoint,
		RedirectURL:  t.RedirectURI,
		Scopes:       []string{t.Scope},
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	say(map[string]any{"go": config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("prompt", "consent"))})

	callback, err := url.Parse(read())
	if err != nil {
		return err
	}
	answer := callback.Query()
	if answer.Get("state") != state {
		return errors.New("the answer to another request")
	}
	if answer.Get("iss") != t.Issuer {
		return errors.New("the answer of another provider (RFC 9207)")
	}
	token, err := config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return err
	}
	raw, _ := token.Extra("id_token").(string)
	verified, err := provider.Verifier(&oidc.Config{ClientID: t.ClientID}).Verify(ctx, raw)
	if err != nil {
		return err
	}
	if verified.Nonce != nonce {
		return errors.New("the ID Token of another request")
	}
	var idToken map[string]any
	if err := verified.Claims(&idToken); err != nil {
		return err
	}
	userinfo, err := claims(ctx, provider, token)
	if err != nil {
		return err
	}
	// A token without an access token is one that has run out: the library fetches the next.
	refreshed, err := config.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	if err != nil {
		return err
	}
	again, err := claims(ctx, provider, refreshed)
	if err != nil {
		return err
	}
	out, err := url.Parse(more.EndSession)
	if err != nil {
		return err
	}
	out.RawQuery = url.Values{
		"client_id":                {t.ClientID},
		"id_token_hint":            {raw},
		"post_logout_redirect_uri": {t.PostLogoutRedirectURI},
	}.Encode()
	say(map[string]any{
		"id_token":               idToken,
		"userinfo":               userinfo,
		"userinfo_after_refresh": again,
		"token_type":             token.TokenType,
		"rotated":                refreshed.RefreshToken != token.RefreshToken,
		"go":                     out.String(),
	})
	return nil
}

func claims(ctx context.Context, provider *oidc.Provider, token *oauth2.Token) (map[string]any, error) {
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, err
	}
	var all map[string]any
	return all, info.Claims(&all)
}

func read() string {
	lines.Scan()
	return lines.Text()
}

func say(value map[string]any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
}
