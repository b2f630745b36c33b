//! Members of federations by libraries that nobody here wrote, unmodified, each in its own language and process: they read our
//! statements and chains, log in at our provider through our anchor, and are anchors that our provider trusts.
//! The programs and what they say: `clients/README.md`. What each library cannot do: `docs/federation.md`.

mod board;
mod two;

use conformance_tests::{
    demo::Demo,
    lab::REDIRECT_URI,
    statement::{entity_configuration, peek},
    visitor::Visitor,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use board::Board;
use two::World;

use crate::clients::{
    party::key,
    program::{Library, Program},
};

const JAVA: Library = Library {
    folder: "java",
    program: "java",
    arguments: &[
        "-XX:TieredStopAtLevel=1",
        "-cp",
        "built:built/lib/*",
        "Federation",
    ],
    installed: "built/Federation.class",
};
const NODE: Library = Library {
    folder: "node",
    program: "node",
    arguments: &["federation.js"],
    installed: "node_modules/@openid-federation/core",
};
const PYTHON: Library = Library {
    folder: "python",
    program: "venv/bin/python",
    arguments: &["federation.py"],
    installed: "venv/bin/python",
};

const OWN_NAME: &str = "A stranger's portal";
/// Two: Nimbus writes one alone as a string, which §6.1.3.1.2 does not allow and hefu refuses.
const CONTACTS: [&str; 2] = ["help@hefu.test", "security@hefu.test"];

/// The village's chain has six levels and two policies; the provider's and the province's have names from above.
#[tokio::test(flavor = "multi_thread")]
async fn nimbus_of_java_reads_the_demo() {
    reads_the_demo(&JAVA).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nimbus_of_java_reads_lists_and_resolve_responses() {
    let seen = Seen::demo().await;
    let mut program = seen.program(&JAVA).await;
    let asked = json!({"do": "list", "endpoint": seen.endpoint("federation_list_endpoint")});
    program.tell(&asked.to_string()).await;
    let below = seen.demo.said.entities.iter();
    let below = below.filter(|entity| entity.superiors.contains(&seen.anchor));
    let below: Vec<&str> = below.map(|entity| entity.id.as_str()).collect();
    let said = program.hear().await;
    assert_eq!(sorted(&said["entities"]), sorted(&json!(below)));

    let village = &seen.demo.portal("示范村便民").id;
    let answer = seen.resolve_response(village).await;
    let mut asked = json!({"do": "read", "type": "openid_relying_party", "answer": answer, "anchor_jwks": seen.jwks});
    program.tell(&asked.to_string()).await;
    let said = program.hear().await;
    let ours = &peek(&answer).claims["metadata"]["openid_relying_party"];
    assert_eq!(sorted(&said["metadata"]), sorted(ours), "{said}");
    asked["anchor_jwks"] = seen.other_jwks();
    program.tell(&asked.to_string()).await;
    assert!(program.hear().await["refused"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn grindvakt_of_python_reads_the_demo() {
    reads_the_demo(&PYTHON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nimbus_of_java_joins_below_our_province() {
    joins(&JAVA).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grindvakt_of_python_joins_below_our_province() {
    joins(&PYTHON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_federation_of_node_joins_below_our_province() {
    joins(&NODE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nimbus_of_java_is_an_anchor_that_our_provider_trusts() {
    is_an_anchor(&JAVA).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_federation_of_node_is_an_anchor_that_our_provider_trusts() {
    is_an_anchor(&NODE).await;
}

/// Three that never met: our anchor, an intermediate by one library, a leaf by another.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_of_grindvakt_stands_below_an_intermediate_of_nimbus_below_our_anchor() {
    let world = two::shared().await;
    let mut nimbus = Member::start(&JAVA, world).await;
    let mut grindvakt = Member::start(&PYTHON, world).await;
    let id = world.board.id("java/intermediate");
    let (private, public) = key("i1");
    nimbus.authority(&id, &private, Some(&world.anchor)).await;
    let jwks = json!({"keys": [public]});
    let kind = ["--type", "federation_entity", "--intermediate"];
    world.enrol("anchor", &id, &jwks, &kind);
    let leaf = grindvakt.leaf("below", &id).await;
    nimbus
        .vouches((&id, &private), &leaf.id, &leaf.jwks, Some(policy()))
        .await;
    let asked = leaf.login(&world.anchor, &world.anchor_jwks, &world.lab.issuer);
    let said = grindvakt.ask(&asked).await;
    grindvakt.comes_back(&said, &leaf).await;
}

/// OpenID Federation 1.0 §4.3: who sends its chain along need not be reachable.
#[tokio::test(flavor = "multi_thread")]
async fn nimbus_of_java_sends_its_chain_along() {
    let world = two::shared().await;
    let mut member = Member::start(&JAVA, world).await;
    let leaf = member.leaf("unreachable", &world.province).await;
    let policy = world.policy("unreachable", &policy());
    let more = ["--type", "openid_relying_party", "--policy", &policy];
    world.enrol("province", &leaf.id, &leaf.jwks, &more);
    let mut asked = leaf.login(&world.anchor, &world.anchor_jwks, &world.lab.issuer);
    asked["with_chain"] = true.into();
    let said = member.ask(&asked).await;
    world.board.withdraw(&leaf.id);
    member.comes_back(&said, &leaf).await;
}

/// §12.1.3: nobody is sent to the address of a party that nobody vouches for, or that may not have this address.
#[tokio::test(flavor = "multi_thread")]
async fn whom_no_anchor_admits_sees_a_page_and_goes_nowhere() {
    let world = two::shared().await;
    let mut member = Member::start(&JAVA, world).await;
    let nobody = member.leaf("nobody", &world.province).await;
    let narrowed = member.leaf("narrowed", &world.province).await;
    let elsewhere = json!({"openid_relying_party":
        {"redirect_uris": {"subset_of": ["https://rp.hefu.test/elsewhere"]}}});
    let policy = world.policy("narrowed", &elsewhere);
    let more = ["--type", "openid_relying_party", "--policy", &policy];
    world.enrol("province", &narrowed.id, &narrowed.jwks, &more);
    for leaf in [nobody, narrowed] {
        let asked = leaf.login(&world.anchor, &world.anchor_jwks, &world.lab.issuer);
        let said = member.ask(&asked).await;
        let page = world.lab.browser().get(address(&said)).await;
        assert_eq!(page.status, 400, "{}: {}", leaf.id, page.body);
        assert!(page.location().is_none(), "{}", leaf.id);
        member.program.tell("").await;
    }
}

async fn reads_the_demo(library: &Library) {
    let seen = Seen::demo().await;
    let mut program = seen.program(library).await;
    for (id, entity_type) in [
        (&seen.demo.portal("示范村便民").id, "openid_relying_party"),
        (&seen.demo.provider().id, "openid_provider"),
        (&seen.demo.entity("cq").id, "federation_entity"),
    ] {
        let mut asked = json!({"do": "resolve", "subject": id, "type": entity_type,
            "anchor": seen.anchor, "anchor_jwks": seen.jwks});
        program.tell(&asked.to_string()).await;
        let said = program.hear().await;
        let ours = peek(&seen.resolve_response(id).await);
        let ours = &ours.claims["metadata"][entity_type];
        assert_eq!(sorted(&said["metadata"]), sorted(ours), "{said}");
        // Only keys that came another way are believed (§4.1).
        asked["anchor_jwks"] = seen.other_jwks();
        program.tell(&asked.to_string()).await;
        let said = program.hear().await;
        assert!(said["refused"].is_string(), "{id}: {said}");
    }
}

/// The demo, as somebody sees it who knows its anchor.
struct Seen {
    demo: &'static Demo,
    visitor: Visitor,
    anchor: String,
    jwks: Value,
    metadata: Value,
}

impl Seen {
    async fn demo() -> Self {
        let (demo, _) = demo().await;
        let ca = demo.said.ca_file.as_ref().expect("a demo with TLS");
        let visitor = Visitor::trusting(&std::fs::read_to_string(ca).expect("a certificate"));
        let anchor = demo.anchor().id.clone();
        let own = entity_configuration(&visitor, &anchor).await;
        Self {
            demo,
            visitor,
            anchor,
            jwks: own.claims["jwks"].clone(),
            metadata: own.claims["metadata"]["federation_entity"].clone(),
        }
    }

    async fn program(&self, library: &Library) -> Program {
        let ca = self.demo.said.ca_file.as_ref().expect("a demo with TLS");
        let mut program = Program::start(library, ca);
        let told = json!({"ca": ca, "hosts": ca.with_file_name("hosts")});
        program.tell(&told.to_string()).await;
        program
    }

    fn endpoint(&self, name: &str) -> &str {
        self.metadata[name].as_str().expect("an endpoint")
    }

    async fn resolve_response(&self, id: &str) -> String {
        let endpoint = self.endpoint("federation_resolve_endpoint");
        two::resolve_response(&self.visitor, endpoint, id, &self.anchor).await
    }

    /// Keys of somebody else under the anchor's `kid`s.
    fn other_jwks(&self) -> Value {
        let mut other = self.jwks.clone();
        for shown in other["keys"].as_array_mut().expect("keys") {
            *shown = key(shown["kid"].as_str().expect("a kid")).1;
        }
        other
    }
}

/// The demo of these tests: with TLS, since the libraries want no other identifiers.
async fn demo() -> &'static (Demo, TempDir) {
    static DEMO: OnceCell<(Demo, TempDir)> = OnceCell::const_new();
    DEMO.get_or_init(|| async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let demo = Demo::start_with(folder.path(), &["--tls"]).await;
        let hosts = demo.said.entities.iter().map(|entity| {
            let url: url::Url = entity.id.parse().expect("a URL");
            format!("127.0.0.1 {}\n", url.host_str().expect("a host"))
        });
        let beside = demo.said.data_dir.join("hosts");
        std::fs::write(beside, hosts.collect::<String>()).expect("a file");
        (demo, folder)
    })
    .await
}

/// Publishes itself, is enrolled by our operator, finds our provider through our anchor, and logs the citizen in, all by itself.
async fn joins(library: &Library) {
    let world = two::shared().await;
    let mut member = Member::start(library, world).await;
    let leaf = member.leaf("ours", &world.province).await;
    let policy = world.policy(library.folder, &policy());
    let mut more = vec!["--type", "openid_relying_party", "--policy", &policy];
    let mut name = OWN_NAME;
    if library.folder != "node" {
        name = "陌生人的门户";
        more.extend(["--name", name]); // that library does not read what superiors say about metadata
    }
    world.enrol("province", &leaf.id, &leaf.jwks, &more);
    if library.folder != "python" {
        // The library asks the anchor about everybody, and a new member is known there only after a while.
        let metadata = member
            .resolved(&leaf.id, "openid_relying_party", world)
            .await;
        assert_eq!(metadata["client_name"], name, "{metadata}");
        assert_eq!(metadata["id_token_signed_response_alg"], "ES256");
        assert_eq!(metadata["redirect_uris"], json!([REDIRECT_URI]));
        assert_eq!(metadata["grant_types"], json!(["authorization_code"]));
        assert_eq!(sorted(&metadata["contacts"]), json!(CONTACTS));
        assert_eq!(metadata["token_endpoint_auth_method"], "private_key_jwt");
    }
    let provider = &world.lab.issuer;
    let theirs = member.resolved(provider, "openid_provider", world).await;
    let ours = world.resolved(provider, "openid_provider").await;
    assert_eq!(sorted(&theirs), sorted(&ours));
    let asked = leaf.login(&world.anchor, &world.anchor_jwks, &world.lab.issuer);
    let said = member.ask(&asked).await;
    member.comes_back(&said, &leaf).await;
}

/// The stranger's anchor vouches for our provider and for a leaf; each finds the other through it alone.
async fn is_an_anchor(library: &Library) {
    let world = two::shared().await;
    let mut member = Member::start(library, world).await;
    let anchor = world.theirs.iter().find(|a| a.folder == library.folder);
    let anchor = anchor.expect("an anchor of this library");
    let jwks = json!({"keys": [anchor.public]});
    member.authority(&anchor.id, &anchor.private, None).await;
    let leaf = member.leaf("theirs", &anchor.id).await;
    let provider_jwks = world.provider_jwks().await;
    for (subject, jwks, policy) in [
        (&world.lab.issuer, &provider_jwks, None),
        (&leaf.id, &leaf.jwks, Some(policy())),
    ] {
        let by = (anchor.id.as_str(), &anchor.private);
        member.vouches(by, subject, jwks, policy).await;
    }
    let asked = leaf.login(&anchor.id, &jwks, &world.lab.issuer);
    let said = member.ask(&asked).await;
    member.comes_back(&said, &leaf).await;
}

/// A leaf asks for ID Tokens by RS256 (below) and gets what its superior says; the programs accept nothing else.
fn policy() -> Value {
    json!({"openid_relying_party": {
        "id_token_signed_response_alg": {"value": "ES256"},
        "redirect_uris": {"subset_of": [REDIRECT_URI]},
        "grant_types": {"default": ["authorization_code"], "superset_of": ["authorization_code"]},
        "contacts": {"add": CONTACTS},
        "token_endpoint_auth_method": {"one_of": ["private_key_jwt"], "essential": true},
    }})
}

/// A library's program at work, and where it publishes.
struct Member {
    program: Program,
    folder: &'static str,
    world: &'static World,
}

/// A relying party of a library.
struct Leaf {
    id: String,
    /// Its federation keys.
    jwks: Value,
    /// Its own key as a client.
    private: Value,
}

impl Member {
    async fn start(library: &Library, world: &'static World) -> Self {
        let ca = world.ca();
        let hosts = ca.with_file_name("hosts");
        let mut program = Program::start(library, &ca);
        let told = json!({"ca": ca, "hosts": hosts});
        program.tell(&told.to_string()).await;
        Self {
            program,
            folder: library.folder,
            world,
        }
    }

    /// Publishes an authority that the library signs: an anchor, or an intermediate below `superior`.
    async fn authority(&mut self, id: &str, private: &Value, superior: Option<&str>) {
        let hints = superior.map(|superior| [superior]);
        let said = self
            .ask(&json!({"do": "configuration", "id": id, "key": private, "hints": hints, "metadata": {"federation_entity": {
                "federation_fetch_endpoint": Board::fetch_endpoint(id),
                "federation_list_endpoint": format!("{id}/list"),
                "organization_name": "A stranger's authority",
            }}}))
            .await;
        self.world.board.publish(id, statement(&said));
    }

    /// The authority `by` (its identifier and key) says at its fetch endpoint who `subject` is.
    async fn vouches(
        &mut self,
        by: (&str, &Value),
        subject: &str,
        jwks: &Value,
        policy: Option<Value>,
    ) {
        let said = self
            .ask(&json!({"do": "statement", "id": by.0, "key": by.1, "subject": subject, "jwks": jwks, "policy": policy}))
            .await;
        self.world.board.vouch(by.0, subject, statement(&said));
    }

    async fn ask(&mut self, asked: &Value) -> Value {
        self.program.tell(&asked.to_string()).await;
        self.program.hear().await
    }

    /// Makes keys and a configuration that the library signs, and publishes it.
    async fn leaf(&mut self, name: &str, superior: &str) -> Leaf {
        let id = self.world.board.id(&format!("{}/{name}", self.folder));
        let (federation, federation_public) = key("f1");
        let (private, public) = key("c1");
        let said = self
            .ask(&json!({"do": "configuration", "id": id, "key": federation, "hints": [superior], "metadata": {
                "federation_entity": {"organization_name": "A stranger"},
                "openid_relying_party": {
                    "client_registration_types": ["automatic"],
                    "client_name": OWN_NAME,
                    "application_type": "web",
                    "redirect_uris": [REDIRECT_URI, "https://rp.hefu.test/dropped"],
                    "response_types": ["code"],
                    "subject_type": "pairwise",
                    "scope": "openid profile",
                    "jwks": {"keys": [public]},
                    "token_endpoint_auth_method": "private_key_jwt",
                    "token_endpoint_auth_signing_alg": "ES256",
                    "request_object_signing_alg": "ES256",
                    "id_token_signed_response_alg": "RS256",
                },
            }}))
            .await;
        let configuration = statement(&said);
        assert_eq!(peek(configuration).claims["sub"], id);
        self.world.board.publish(&id, configuration);
        Leaf {
            id,
            jwks: json!({"keys": [federation_public]}),
            private,
        }
    }

    /// The metadata that the library finds through our anchor.
    async fn resolved(&mut self, id: &str, entity_type: &str, world: &World) -> Value {
        let said = self
            .ask(&json!({"do": "resolve", "subject": id, "type": entity_type,
                "anchor": world.anchor, "anchor_jwks": world.anchor_jwks}))
            .await;
        assert!(said["metadata"].is_object(), "{id}: {said}");
        said["metadata"].clone()
    }

    /// The citizen goes where the program said and comes back; the program gets tokens and checks them.
    async fn comes_back(&mut self, said: &Value, leaf: &Leaf) {
        let lab = &self.world.lab;
        let go = address(said);
        assert!(go.starts_with(&lab.issuer), "{go}");
        let back = lab.visit(&lab.browser(), go, REDIRECT_URI).await;
        self.program.tell(back.as_str()).await;
        let result = self.program.hear().await;
        let id_token = &result["id_token"];
        assert_eq!(id_token["iss"], lab.issuer, "{result}");
        assert!(
            id_token["aud"] == leaf.id || id_token["aud"] == json!([leaf.id]),
            "{result}"
        );
        assert!(id_token["sub"].is_string(), "{result}");
        assert_eq!(result["userinfo"]["sub"], id_token["sub"], "{result}");
        assert_eq!(
            result["userinfo"]["preferred_username"], "lab-citizen",
            "{result}"
        );
    }
}

impl Leaf {
    fn login(&self, anchor: &str, anchor_jwks: &Value, provider: &str) -> Value {
        json!({"do": "login", "id": self.id, "key": self.private, "provider": provider, "anchor": anchor,
            "anchor_jwks": anchor_jwks, "redirect_uri": REDIRECT_URI, "scope": "openid profile"})
    }
}

fn statement(said: &Value) -> &str {
    said["statement"]
        .as_str()
        .unwrap_or_else(|| panic!("no statement: {said}"))
}

fn address(said: &Value) -> &str {
    said["go"]
        .as_str()
        .unwrap_or_else(|| panic!("no address: {said}"))
}

/// Arrays are sets (§6.1.3).
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), sorted(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => {
            let mut items: Vec<Value> = items.iter().map(sorted).collect();
            items.sort_by_key(Value::to_string);
            items.into()
        }
        other => other.clone(),
    }
}
