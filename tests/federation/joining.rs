//! What an applicant is told: one fault in an entity configuration at a time.

use std::collections::BTreeSet;

use hefu::federation::constraints::Constraints;
use hefu::federation::joining::keys::{self, Refused};
use hefu::federation::joining::standing::Standing;
use hefu::federation::joining::{Above, Examined, Kind, Terms, examine};
use hefu::federation::statement::Rules;
use serde_json::{Value, json};

use crate::support::federation::{
    Draft, MIDDLE, START, TOP, TestKey, World, entity_id, relying_party,
};

const PORTAL: &str = "https://portal.gd.example";

/// The portal in front of the middle, spoilt a little.
fn examined(
    metadata: Value,
    hints: &[&str],
    spoil: fn(&mut Draft),
    policy: Option<&Value>,
    above: &Above,
) -> Examined {
    let world = World::small();
    world.entity(PORTAL, hints, metadata);
    world.spoil(PORTAL, PORTAL, spoil);
    let token = world.configuration(PORTAL).expect("a configuration");
    let superior = entity_id(MIDDLE);
    let terms = Terms {
        superior: &superior,
        rules: &Rules::default(),
        policy,
        above,
    };
    examine(&token, &entity_id(PORTAL), &terms, START)
}

fn good() -> Value {
    let mut metadata = relying_party("https://portal.gd.example/cb");
    metadata["federation_entity"] =
        json!({"contacts": ["ops@gd.example", "https://gd.example/hook", "not an address"]});
    metadata
}

fn kinds(examined: &Examined) -> BTreeSet<Kind> {
    examined.findings.iter().map(|f| f.kind).collect()
}

#[test]
fn what_is_in_the_way_and_what_is_to_be_known() {
    let none = Above::default();
    let with = |change: fn(&mut Value)| {
        let mut metadata = good();
        change(&mut metadata);
        metadata
    };
    let set = |path: &'static str, value: Value| {
        let mut metadata = good();
        metadata["openid_relying_party"][path] = value;
        metadata
    };
    let nothing: fn(&mut Draft) = |_| {};
    let ok = Kind::OwnName;
    let cases: Vec<(&str, Value, &[&str], fn(&mut Draft), Vec<Kind>)> = vec![
        ("good", good(), &[MIDDLE], nothing, vec![ok]),
        (
            "several superiors",
            good(),
            &[TOP, MIDDLE],
            nothing,
            vec![ok],
        ),
        (
            "no contacts",
            relying_party("https://portal.gd.example/cb"),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::NoContacts],
        ),
        (
            "another superior",
            good(),
            &[TOP],
            nothing,
            vec![ok, Kind::NotNamed],
        ),
        (
            "no superior",
            good(),
            &[],
            nothing,
            vec![ok, Kind::NotNamed],
        ),
        (
            "no metadata",
            json!({}),
            &[MIDDLE],
            nothing,
            vec![Kind::Types, Kind::NoContacts],
        ),
        (
            "two roles",
            with(|m| m["openid_provider"] = json!({"issuer": PORTAL})),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::Types],
        ),
        (
            "a leaf with an endpoint",
            with(|m| {
                m["federation_entity"]["federation_fetch_endpoint"] = json!("https://x.example/f");
            }),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::Endpoint],
        ),
        (
            "an authority without its list",
            json!({"federation_entity": {"federation_fetch_endpoint": "https://x.example/f",
            "contacts": ["a@b"]}}),
            &[MIDDLE],
            nothing,
            vec![Kind::Endpoint],
        ),
        (
            "http",
            set("redirect_uris", json!(["http://portal.gd.example/cb"])),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::RedirectUri, Kind::RelyingParty],
        ),
        (
            "an address",
            set("redirect_uris", json!(["https://192.0.2.1/cb"])),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::RedirectUri],
        ),
        (
            "elsewhere",
            set("redirect_uris", json!(["https://cdn.example/cb"])),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::ForeignHost],
        ),
        (
            "beside",
            set("redirect_uris", json!(["https://login.gd.example/cb"])),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::ForeignHost],
        ),
        (
            "below",
            set("redirect_uris", json!(["https://m.portal.gd.example/cb"])),
            &[MIDDLE],
            nothing,
            vec![ok],
        ),
        (
            "no redirect URI",
            set("redirect_uris", json!([])),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::RelyingParty],
        ),
        (
            "a private protocol key",
            set(
                "jwks",
                json!({"keys": [{"kty": "oct", "k": "AAAA", "kid": "x"}]}),
            ),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::ProtocolKeys],
        ),
        (
            "a federation key for clients",
            set("jwks", TestKey::of(PORTAL).jwks()),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::ProtocolKeys],
        ),
        (
            "secrets",
            set("token_endpoint_auth_method", json!("client_secret_basic")),
            &[MIDDLE],
            nothing,
            vec![ok, Kind::RelyingParty],
        ),
        (
            "expired",
            good(),
            &[MIDDLE],
            |d| d.claims["exp"] = json!(1),
            vec![Kind::Invalid],
        ),
        (
            "about another",
            good(),
            &[MIDDLE],
            |d| d.claims["sub"] = json!("https://b.example"),
            vec![Kind::Invalid],
        ),
        (
            "a slash more",
            good(),
            &[MIDDLE],
            |d| {
                d.claims["sub"] = json!("https://portal.gd.example/");
                d.claims["iss"] = json!("https://portal.gd.example/");
            },
            vec![Kind::Invalid],
        ),
        (
            "another typ",
            good(),
            &[MIDDLE],
            |d| d.header["typ"] = json!("JWT"),
            vec![Kind::Invalid],
        ),
        (
            "a private federation key",
            good(),
            &[MIDDLE],
            |d| d.claims["jwks"]["keys"][0]["d"] = json!("AAAA"),
            vec![Kind::Invalid],
        ),
        (
            "one kid twice",
            good(),
            &[MIDDLE],
            |d| {
                let key = d.claims["jwks"]["keys"][0].clone();
                d.claims["jwks"]["keys"] = json!([key, key]);
            },
            vec![Kind::Invalid],
        ),
        (
            "another's signature",
            good(),
            &[MIDDLE],
            |d| d.key = TestKey::of("somebody").named(&d.key.kid),
            vec![Kind::Signature],
        ),
    ];
    for (name, metadata, hints, spoil, expected) in cases {
        let found = examined(metadata, hints, spoil, None, &none);
        let expected: BTreeSet<Kind> = expected.into_iter().collect();
        assert_eq!(kinds(&found), expected, "{name}: {:?}", found.findings);
        let refused = expected.iter().any(|kind| kind.refuses());
        assert_eq!(found.acceptable().is_none(), refused, "{name}");
    }
}

#[test]
fn policy_and_constraints_are_told_beforehand() {
    let scope = |values: Value| json!({"openid_relying_party": {"scope": {"subset_of": values}}});
    let narrow = scope(json!(["openid", "real_name"]));
    let strict = json!({"openid_relying_party": {"logo_uri": {"essential": true}}});
    let none = Above::default();
    let found = examined(good(), &[MIDDLE], |_| {}, Some(&narrow), &none);
    let loses = found
        .findings
        .iter()
        .find(|f| f.kind == Kind::Loses)
        .expect("told");
    assert_eq!(loses.what, "openid_relying_party.scope: phone");
    assert!(found.acceptable().is_some());
    let found = examined(good(), &[MIDDLE], |_| {}, Some(&strict), &none);
    assert!(kinds(&found).contains(&Kind::Policy), "{found:?}");
    for constraints in [
        json!({"max_path_length": 0}),
        json!({"naming_constraints": {"permitted": [".js.example"]}}),
    ] {
        let above = Above {
            constraints: vec![Constraints::parse(&constraints).expect("constraints")],
            ..Above::default()
        };
        let found = examined(good(), &[MIDDLE], |_| {}, None, &above);
        assert!(
            kinds(&found).contains(&Kind::Constraint),
            "{constraints}: {found:?}"
        );
    }
}

#[test]
fn an_applicant_is_described_for_whoever_decides() {
    let found = examined(good(), &[MIDDLE], |_| {}, None, &Above::default());
    let portal = found.acceptable().expect("acceptable");
    assert_eq!(portal.entity_types, ["openid_relying_party"]);
    assert_eq!(
        portal.contacts,
        ["ops@gd.example", "https://gd.example/hook"]
    );
    assert_eq!(portal.jwks.to_value(), TestKey::of(PORTAL).jwks());
    assert!(!portal.is_intermediate);
    let city = json!({"federation_entity": {"federation_fetch_endpoint": "https://c.example/f", "federation_list_endpoint": "https://c.example/l"}});
    let found = examined(city, &[MIDDLE], |_| {}, None, &Above::default());
    let city = found.acceptable().expect("acceptable");
    assert_eq!(city.entity_types, ["federation_entity"]);
    assert!(city.is_intermediate);
}

#[test]
fn keys_change_by_an_old_key_alone() {
    let (portal, superior) = (entity_id(PORTAL), entity_id(MIDDLE));
    let (old, new) = (TestKey::of(PORTAL), TestKey::of("next").named("next"));
    let both = json!({"keys": [old.jwk(), new.jwk()]});
    let claims = |jwks: &Value| Value::Object(keys::claims(&portal, &superior, jwks, "j1", START));
    let standing = Standing::default();
    let compromised = Standing {
        compromised_at: Some(START),
        ..Standing::default()
    };
    let verify = |token: &str, standing: &Standing| {
        keys::verify(token, &portal, &superior, &old.jwks(), standing, START)
    };

    let token = old.jwt(keys::TYP, &claims(&both));
    assert_eq!(verify(&token, &standing).expect("proven").to_value(), both);
    assert!(matches!(
        verify(&token, &compromised),
        Err(Refused::Compromised(_))
    ));
    let late = keys::verify(
        &token,
        &portal,
        &superior,
        &old.jwks(),
        &standing,
        START.plus(keys::LIFETIME + 61),
    );
    assert!(matches!(late, Err(Refused::Proof(_))));
    let same = old.jwt(keys::TYP, &claims(&old.jwks()));
    assert_eq!(verify(&same, &standing), Err(Refused::Same));
    let mut elsewhere = claims(&both);
    elsewhere["aud"] = json!(TOP);
    let mut empty = claims(&both);
    empty["jwks"] = json!({"keys": []});
    for (token, is_proof) in [
        (new.jwt(keys::TYP, &claims(&both)), true),
        (
            new.clone().named(&old.kid).jwt(keys::TYP, &claims(&both)),
            true,
        ),
        (old.jwt("entity-statement+jwt", &claims(&both)), true),
        (old.jwt(keys::TYP, &elsewhere), true),
        (old.jwt(keys::TYP, &empty), false),
    ] {
        let refused = verify(&token, &standing).expect_err("refused");
        assert_eq!(matches!(refused, Refused::Proof(_)), is_proof, "{refused}");
    }

    // The host must serve exactly these keys.
    let world = World::small();
    world.entity(PORTAL, &[MIDDLE], good());
    let served = || {
        let token = world.configuration(PORTAL).expect("a configuration");
        let jwks = verify(&token_for(&old, &claims(&both)), &standing).expect("proven");
        keys::served(&token, &portal, &jwks, &Rules::default(), START)
    };
    assert!(
        matches!(served(), Err(Refused::NotServed(_))),
        "it shows the old key alone"
    );
    let shown = both.clone();
    world.spoil(PORTAL, PORTAL, move |draft| {
        draft.claims["jwks"] = shown.clone();
    });
    served().expect("it shows both");
}

fn token_for(key: &TestKey, claims: &Value) -> String {
    key.jwt(keys::TYP, claims)
}
