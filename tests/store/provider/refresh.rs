//! Families of refresh tokens.

use super::*;

#[tokio::test]
async fn refresh_tokens_have_siblings_for_a_moment_and_then_end_the_family() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let code = issue(
            &store,
            &person,
            &session.id,
            &terms("openid offline_access"),
            None,
        )
        .await?
        .expect("a code");
        let mut conn = store.read().await?;
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, None, LIVES, NOW).await?;
        let token = token.reveal();
        assert_eq!(
            grants::refresh(&mut conn, token, &ClientId("other".into()), None, NOW).await?,
            None
        );
        let late = NOW.plus(LIVES.refresh_token);
        assert_eq!(
            grants::refresh(&mut conn, token, &client(), None, late).await?,
            None
        );
        assert!(
            grants::refresh(&mut conn, token, &client(), None, NOW)
                .await?
                .is_some()
        );
        assert!(
            grants::refresh(&mut conn, token, &client(), None, NOW.plus(30))
                .await?
                .is_some()
        );
        assert_eq!(
            grants::refresh(
                &mut conn,
                token,
                &ClientId("other".into()),
                None,
                NOW.plus(31)
            )
            .await?,
            None
        );
        assert!(
            grants::find(&mut conn, &grant.id, NOW).await?.is_some(),
            "a stranger ends nothing"
        );
        assert_eq!(
            grants::refresh(&mut conn, token, &client(), None, NOW.plus(31)).await?,
            None
        );
        assert_eq!(grants::find(&mut conn, &grant.id, NOW).await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_earlier_refresh_token_ends_the_family_although_the_moment_has_not_passed() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let offline = terms("openid offline_access");
        let code = issue(&store, &person, &session.id, &offline, None)
            .await?
            .expect("a code");
        let mut conn = store.read().await?;
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        let mut tokens = Vec::new();
        for _ in 0..2 {
            let rng = &mut rng();
            let token = grants::issue_refresh_token(&mut conn, rng, &grant, None, LIVES, NOW);
            tokens.push(token.await?);
        }
        let [first, second] = &tokens[..] else {
            panic!("two tokens")
        };
        for (token, after, good) in [
            (first, 0, true),
            (first, 1, true), // the last one so far: a sibling
            (second, 2, true),
            (second, 3, true),
            (first, 4, false), // the second was used meanwhile
            (second, 5, false),
        ] {
            let now = NOW.plus(after);
            let used = grants::refresh(&mut conn, token.reveal(), &client(), None, now).await?;
            assert_eq!(used.is_some(), good, "after {after} seconds");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_bound_refresh_token_is_a_strangers_without_its_key_and_one_that_stays_is_used_again() {
    for_each_database(async |store| {
        let person = account(&store).await?;
        let (session, _) = begin(&store, &person).await?;
        let terms = terms("openid offline_access");
        let code = issue(&store, &person, &session.id, &terms, None)
            .await?
            .expect("a code");
        let mut conn = store.read().await?;
        let grant = grants::redeem(&mut conn, &code, &client(), NOW)
            .await?
            .expect("a grant");
        let key = Some(r#"{"jkt":"k"}"#);
        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, key, LIVES, NOW).await?;
        // Before its use, within the grace, and after it: without the key nothing happens.
        for (with, now, works) in [
            (None, NOW, false),
            (Some("{}"), NOW, false),
            (key, NOW, true),
            (None, NOW.plus(30), false),
            (key, NOW.plus(30), true),
            (None, NOW.plus(31), false),
        ] {
            let used = grants::refresh(&mut conn, token.reveal(), &client(), with, now).await?;
            assert_eq!(used.is_some(), works, "{with:?} {now}");
        }
        assert!(grants::find(&mut conn, &grant.id, NOW).await?.is_some());

        let token =
            grants::issue_refresh_token(&mut conn, &mut rng(), &grant, None, LIVES, NOW).await?;
        let token = token.reveal();
        let other = ClientId("other".into());
        let again = grants::refresh_again(&mut conn, token, &other, LIVES, NOW).await?;
        assert_eq!(again, None);
        // Each use puts off its end.
        let nearly = NOW.plus(LIVES.refresh_token - 1);
        for now in [NOW, nearly, nearly.plus(LIVES.refresh_token - 1)] {
            let again = grants::refresh_again(&mut conn, token, &client(), LIVES, now).await?;
            assert!(again.is_some(), "{now}");
        }
        let late = nearly.plus(2 * LIVES.refresh_token);
        let again = grants::refresh_again(&mut conn, token, &client(), LIVES, late).await?;
        assert_eq!(again, None);
        grants::revoke(&mut conn, &grant.id, "test", NOW).await?;
        let again = grants::refresh_again(&mut conn, token, &client(), LIVES, NOW).await?;
        assert_eq!(again, None);
        Ok(())
    })
    .await;
}
