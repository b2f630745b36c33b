use super::*;
use crate::authn::Factor::{Passkey, Password, Sms};
use crate::client::Vouched;
use crate::id::ClientId;
use crate::oauth::{ResponseType, Scope};
use crate::provider::claims::ClaimsRequest;
use crate::provider::request::{AcrWish, Prompt, ResponseMode, Return};
use crate::session::Proof;

const T: UnixTime = UnixTime(10_000);

fn request(scope: &str) -> AuthorizationRequest {
    AuthorizationRequest {
        client: ClientId("rp".into()),
        answer: Return {
            redirect_uri: "https://rp.example/cb".into(),
            mode: ResponseMode::Query,
            state: None,
            signed: None,
        },
        response_type: ResponseType::CODE,
        scope: Scope::parse(scope).unwrap(),
        nonce: None,
        prompt: Prompt::default(),
        max_age: None,
        acr: AcrWish::default(),
        claims: ClaimsRequest::default(),
        login_hint: None,
        ui_locales: None,
        code_challenge: None,
        dpop_jkt: None,
        hinted_sub: None,
        id_token_hint: None,
        pushed: None,
        resources: Vec::new(),
        details: Vec::new(),
        device: None,
    }
}

fn session(factors: &[Factor], auth_time: i64) -> Session {
    Session {
        id: SessionId("s".into()),
        person: PersonId("p".into()),
        actor: PersonId("p".into()),
        proofs: factors
            .iter()
            .map(|&factor| Proof {
                factor,
                at: UnixTime(auth_time),
            })
            .collect(),
        auth_time: UnixTime(auth_time),
        begun_at: T,
        seen_at: T,
        expires_at: T.plus(1000),
        device: String::new(),
    }
}

fn known(real_name: u8, authenticator: u8) -> Known {
    Known {
        person: PersonId("p".into()),
        real_name,
        reach: Reach {
            real_name: real_name.max(2),
            authenticator,
        },
        sub: None,
    }
}

fn consent(scope: &str) -> Consent {
    Consent {
        id: "c".into(),
        person: PersonId("p".into()),
        client: ClientId("rp".into()),
        scope: Scope::parse(scope).unwrap(),
        claims: BTreeSet::new(),
        platform: "rp".into(),
        given_at: T,
        expires_at: T.plus(1000),
    }
}

fn step(
    request: &AuthorizationRequest,
    session: &Session,
    known: &Known,
    consent: Option<&Consent>,
) -> Step {
    next(request, &now(session, known, consent))
}

fn now<'a>(session: &'a Session, known: &'a Known, consent: Option<&'a Consent>) -> Now<'a> {
    Now {
        session: Some(session),
        known: Some(known),
        consent,
        authenticated_at: None,
        consented_at: None,
        put_off: false,
        time: T,
    }
}

fn code(step: &Step) -> &'static str {
    match step {
        Step::Error(error) => error.code.as_str(),
        _ => "",
    }
}

#[test]
fn the_way_of_an_ordinary_login() {
    let asked = request("openid real_name");
    let nobody = Now {
        session: None,
        known: None,
        consent: None,
        authenticated_at: None,
        consented_at: None,
        put_off: false,
        time: T,
    };
    assert_eq!(next(&asked, &nobody), Step::Login { create: false });
    let with_password = session(&[Password], 9_000);
    assert_eq!(
        step(&asked, &with_password, &known(1, 2), None),
        Step::VerifyRealName { optional: true }
    );
    assert_eq!(
        step(&asked, &with_password, &known(2, 2), None),
        Step::Consent {
            items: vec![
                "name".into(),
                "cn_id_number_masked".into(),
                "assurance_level".into()
            ]
        }
    );
    let agreed = consent("openid real_name");
    assert_eq!(
        step(&asked, &with_password, &known(2, 2), Some(&agreed)),
        Step::Answer { level: Level::L1 }
    );
    assert_eq!(
        step(
            &asked,
            &session(&[Password, Sms], 9_000),
            &known(2, 2),
            Some(&agreed)
        ),
        Step::Answer { level: Level::L2 }
    );
    let known_1 = known(1, 2);
    let put_off = Now {
        put_off: true,
        ..now(&with_password, &known_1, Some(&agreed))
    };
    assert_eq!(next(&asked, &put_off), Step::Answer { level: Level::L1 });
    assert!(matches!(
        step(
            &asked,
            &with_password,
            &known(2, 2),
            Some(&consent("openid"))
        ),
        Step::Consent { .. }
    ));
}

#[test]
fn prompt_none_says_what_would_have_been_shown() {
    let mut asked = request("openid");
    asked.prompt.none = true;
    let s = session(&[Password], 9_000);
    let k = known(2, 2);
    let nobody = Now {
        session: None,
        known: None,
        ..now(&s, &k, None)
    };
    assert_eq!(code(&next(&asked, &nobody)), "login_required");
    assert_eq!(code(&step(&asked, &s, &k, None)), "consent_required");
    let agreed = consent("openid");
    assert!(matches!(
        step(&asked, &s, &k, Some(&agreed)),
        Step::Answer { .. }
    ));
    asked.acr.voluntary = vec![Level::L2];
    assert_eq!(
        code(&step(&asked, &s, &k, Some(&agreed))),
        "interaction_required"
    );
    asked.acr.voluntary.clear();
    asked.max_age = Some(10);
    assert_eq!(code(&step(&asked, &s, &k, Some(&agreed))), "login_required");
    asked.max_age = None;
    asked.hinted_sub = Some("another".into());
    assert_eq!(code(&step(&asked, &s, &k, Some(&agreed))), "login_required");
}

#[test]
fn wished_levels_never_turn_away_and_binding_ones_do() {
    let agreed = consent("openid");
    let s = session(&[Password], 9_000);
    // (wished, binding, rn, reachable al) → step
    type Case = (
        Vec<Level>,
        Option<Vec<Level>>,
        u8,
        u8,
        Result<Step, &'static str>,
    );
    let cases: Vec<Case> = vec![
        (
            vec![Level::L2],
            None,
            2,
            2,
            Ok(Step::StepUp { target: Level::L2 }),
        ),
        (
            vec![Level::L2],
            None,
            2,
            1,
            Ok(Step::Answer { level: Level::L1 }),
        ),
        (
            vec![Level::L2],
            None,
            1,
            2,
            Ok(Step::VerifyRealName { optional: true }),
        ),
        (
            vec![Level::L3, Level::L2],
            None,
            2,
            2,
            Ok(Step::StepUp { target: Level::L2 }),
        ),
        (
            vec![Level::L3, Level::L1],
            None,
            2,
            2,
            Ok(Step::Answer { level: Level::L1 }),
        ),
        (
            vec![Level::L1, Level::L2],
            None,
            2,
            2,
            Ok(Step::Answer { level: Level::L1 }),
        ),
        (
            vec![],
            Some(vec![Level::L2]),
            2,
            2,
            Ok(Step::StepUp { target: Level::L2 }),
        ),
        (
            vec![],
            Some(vec![Level::L2]),
            1,
            2,
            Ok(Step::VerifyRealName { optional: false }),
        ),
        (
            vec![],
            Some(vec![Level::L2]),
            2,
            1,
            Err("unmet_authentication_requirements"),
        ),
        (
            vec![],
            Some(vec![Level::L4, Level::L3]),
            2,
            3,
            Err("unmet_authentication_requirements"),
        ),
        (
            vec![],
            Some(vec![]),
            2,
            2,
            Err("unmet_authentication_requirements"),
        ),
        (
            vec![],
            Some(vec![Level::L1, Level::L4]),
            2,
            2,
            Ok(Step::Answer { level: Level::L1 }),
        ),
        (
            vec![],
            Some(vec![Level::L3]),
            3,
            3,
            Ok(Step::StepUp { target: Level::L3 }),
        ),
    ];
    for (voluntary, binding, rn, al, expected) in cases {
        let mut asked = request("openid");
        asked.acr = AcrWish { voluntary, binding };
        let got = step(&asked, &s, &known(rn, al), Some(&agreed));
        match expected {
            Ok(step) => assert_eq!(got, step, "{:?} rn{rn} al{al}", asked.acr),
            Err(error) => assert_eq!(code(&got), error, "{:?} rn{rn} al{al}", asked.acr),
        }
    }
}

#[test]
fn a_phone_alone_opens_no_document() {
    let by_phone = session(&[Sms], 9_000);
    let agreed = consent("openid real_name profile phone");
    for (scope, al, stepped) in [
        ("openid real_name", 2, true),
        ("openid profile", 2, true),
        ("openid phone", 2, false),
        ("openid real_name", 1, false),
    ] {
        let got = step(&request(scope), &by_phone, &known(2, al), Some(&agreed));
        assert_eq!(
            got == Step::StepUp { target: Level::L2 },
            stepped,
            "{scope} al{al}: {got:?}"
        );
    }
    let strong = step(
        &request("openid real_name"),
        &session(&[Passkey], 9_000),
        &known(2, 3),
        Some(&agreed),
    );
    assert_eq!(strong, Step::Answer { level: Level::L2 });
}

#[test]
fn what_another_session_proved_does_not_count() {
    let interaction = Interaction {
        id: "i".into(),
        purpose: Purpose::Authorization(Box::new(Asked {
            request: request("openid"),
            platform: Platform {
                vouched: Vouched::No,
                ..Platform::unvouched("rp")
            },
        })),
        session: Some(SessionId("another".into())),
        authenticated_at: Some(T),
        consented_at: Some(T),
        put_off_at: None,
        begun_at: T,
        expires_at: T.plus(10),
    };
    let (s, k, agreed) = (session(&[Password], 9_000), known(2, 2), consent("openid"));
    let mut asked = request("openid");
    asked.prompt.login = true;
    assert_eq!(
        next(
            &asked,
            &Now::of(&interaction, Some(&s), Some(&k), Some(&agreed), T)
        ),
        Step::Reauthenticate
    );
    let own = Interaction {
        session: Some(s.id.clone()),
        ..interaction
    };
    // A further factor was shown here; the login itself is as old as before.
    asked.max_age = Some(100);
    for prompt in [true, false] {
        asked.prompt.login = prompt;
        assert_eq!(
            next(&asked, &Now::of(&own, Some(&s), Some(&k), Some(&agreed), T)),
            Step::Reauthenticate
        );
    }
    asked.prompt.login = true;
    let s = session(&[Password], T.0);
    assert_eq!(
        next(&asked, &Now::of(&own, Some(&s), Some(&k), Some(&agreed), T)),
        Step::Answer { level: Level::L1 }
    );
    asked.prompt.consent = true;
    let unasked = Interaction {
        consented_at: None,
        ..own
    };
    assert!(matches!(
        next(
            &asked,
            &Now::of(&unasked, Some(&s), Some(&k), Some(&agreed), T)
        ),
        Step::Consent { .. }
    ));
}
