//! Real-name verification: name, number and the verified phone are matched with the register, then bound to the account. Failure says what
//! to check, never what the register holds; that another account exists is told only after a match.

use axum::body::Bytes;
use axum::http::StatusCode;

use super::entry::{self, Entry, KeptProof, Kind};
use super::notices::{self, tell};
use super::visit::{Answer, Failure, Member, Visit};
use crate::audit::Event;
use crate::authn::throttle::{self, Limit, Pass};
use crate::id::PersonId;
use crate::identity::binding::{self, Binding, Proof, Takeover};
use crate::identity::name::NameError;
use crate::identity::number::NumberError;
use crate::identity::source::{Match, Query};
use crate::identity::{Evidence, IdNumber, Method, Name, Phone, person};
use crate::provider::acr::Level;
use crate::provider::{grants, interaction, logout};
use crate::random::Rng;
use crate::session::{self, End};
use crate::store::{Conn, Error, Tx};
use crate::web::view::entry::{ProofPurpose, RealName, Takeover as TakeoverPage, TooYoung};
use crate::web::view::frame::Notice;
use crate::web::view::message::News;
use crate::web::view::{Frame, Page, Problem};

/// Under this age a guardian must start the account.
const LEAST_AGE: u32 = 14;

/// Seconds for which a match waits for the person's yes to a takeover.
const PROOF_WAITS: i64 = 600;

pub async fn show(member: Member) -> Answer {
    if member.person.has_real_name() {
        return member.go_door("");
    }
    let page = page(&member, member.frame(), String::new(), String::new());
    member.page(&page)
}

pub async fn submit(member: Member, body: Bytes) -> Answer {
    let form = member.form(&body)?;
    if member.person.has_real_name() {
        return member.go_door("");
    }
    let (name, number) = (form.text("name"), form.text("number"));
    // Whose phone is in another's name may leave it out, and gets a provisional result.
    let without_phone = form.get("method") == Some(Method::Match2.as_str());
    let phone = member.person.phone.clone().filter(|_| !without_phone);
    let asked = prove(
        &member,
        member.person.id.as_str(),
        name,
        number,
        phone.as_ref(),
    )
    .await?;
    let proof = match asked {
        Asked::Proven(proof) => proof,
        Asked::TooYoung(age) => return too_young(&member, member.frame(), age),
        Asked::Problem(problem) => {
            let frame = member.frame_with(problem.clone());
            let page = page(&member, frame, bounded(name), bounded(number));
            return Ok(refused(&member, &problem, &page));
        }
    };
    let mut tx = member.house().store.write().await?;
    if !still_of(&member, &mut tx, &proof, phone.as_ref()).await? {
        tx.commit().await?;
        return member.go_door("/verify");
    }
    let mut rng = member.house().rng();
    let bound = binding::bind(
        &mut tx,
        member.keys(),
        &mut rng,
        &member.person.id,
        &proof,
        Takeover::NotAsked,
        member.now,
    )
    .await?;
    match bound {
        Binding::Bound { .. } => verified(&member, tx, &mut rng, proof.evidence.method).await,
        Binding::Held { .. } => {
            // The proof waits for the answer; nothing of the other account is told but that it is there.
            let kept = Entry {
                person: Some(member.person.id.clone()),
                phone: phone.map(|phone| phone.e164().to_owned()),
                proof: Some(keep(&proof)),
                ..Entry::default()
            };
            entry::save(
                &mut tx,
                member.keys().sealer,
                Kind::Takeover,
                &member.place(),
                &kept,
                member.now,
            )
            .await?;
            let event = Event::refused("person.bind")
                .with_person(&member.person.id)
                .with("reason", "held");
            member.note(&mut tx, &mut rng, event).await?;
            tx.commit().await?;
            member.go_door("/verify/existing")
        }
        Binding::OtherDocument | Binding::NoAccount => {
            let event = Event::refused("person.bind")
                .with_person(&member.person.id)
                .with("reason", "other_document");
            member.note(&mut tx, &mut rng, event).await?;
            tx.commit().await?;
            let frame = member.frame_with(Problem::NotMatched);
            member.again(&page(&member, frame, bounded(name), bounded(number)))
        }
    }
}

/// Whether a proof that matched `phone` is still one of this account: the number may have gone to its new holder meanwhile.
async fn still_of(
    member: &Member,
    conn: &mut Conn,
    proof: &Proof,
    phone: Option<&Phone>,
) -> Result<bool, Error> {
    Ok(match (proof.evidence.method, phone) {
        (Method::Match2, _) => true,
        (Method::Match3, Some(phone)) => {
            person::has_phone(conn, member.keys().indexer, &member.person.id, phone).await?
        }
        (Method::Match3, None) => false,
    })
}

/// 「以后再说」
pub async fn later(member: Member) -> Answer {
    if let Some(interaction) = member.interaction.as_ref().filter(|_| may_wait(&member)) {
        let mut conn = member.house().store.read().await?;
        interaction::put_off_verification(&mut conn, interaction, member.now).await?;
    }
    member.go_door("")
}

pub async fn show_existing(member: Member) -> Answer {
    let Some((proof, _)) = kept(&member).await? else {
        return member.go_door("/verify");
    };
    let mut conn = member.house().store.read().await?;
    let holder = binding::holder(&mut conn, member.keys(), &proof.number).await?;
    let can_take_over = holder.is_some_and(|(_, method)| method < proof.evidence.method);
    member.page(&TakeoverPage {
        frame: member.frame(),
        asking: member.asking(),
        base: member.base(),
        can_take_over,
    })
}

/// The stronger proof takes the document; the weaker account loses name, sessions and grants. Both are told.
pub async fn submit_existing(member: Member, body: Bytes) -> Answer {
    member.form(&body)?;
    let Some((proof, phone)) = kept(&member).await? else {
        return member.go_door("/verify");
    };
    let mut tx = member.house().store.write().await?;
    let mut rng = member.house().rng();
    let sealer = member.keys().sealer;
    entry::take(&mut tx, sealer, Kind::Takeover, &member.place(), member.now).await?;
    if !still_of(&member, &mut tx, &proof, phone.as_ref()).await? {
        tx.commit().await?;
        return member.go_door("/verify");
    }
    let bound = binding::bind(
        &mut tx,
        member.keys(),
        &mut rng,
        &member.person.id,
        &proof,
        Takeover::Agreed,
        member.now,
    )
    .await?;
    let Binding::Bound { taken_from } = bound else {
        tx.commit().await?;
        return member.go_door("/verify");
    };
    if let Some(from) = &taken_from {
        let loser = person::find(&mut tx, sealer, from).await?;
        let lost = loser.as_ref().and_then(|loser| loser.phone.as_ref());
        tell(&mut tx, &mut rng, &member, from, lost, News::IdentityLost).await?;
        let (winner, phone) = (&member.person.id, member.person.phone.as_ref());
        tell(
            &mut tx,
            &mut rng,
            &member,
            winner,
            phone,
            News::IdentityMoved,
        )
        .await?;
        end_everything(&member, &mut tx, &mut rng, from, "identity_moved").await?;
        let event = Event::done("person.identity_moved")
            .with_person(from)
            .with_actor(member.person.id.as_str())
            .with("method", proof.evidence.method.as_str());
        member.note(&mut tx, &mut rng, event).await?;
    }
    let answer = verified(&member, tx, &mut rng, proof.evidence.method).await?;
    notices::hurry(&member);
    Ok(answer)
}

/// Ends all sessions (their platforms are told) and all grants of `person`.
pub async fn end_everything(
    visit: &Visit,
    conn: &mut Conn,
    rng: &mut Rng,
    person: &PersonId,
    why: &'static str,
) -> Result<(), Error> {
    for session in session::list_for(conn, person, visit.now).await? {
        logout::end(conn, rng, &session.id, End::Security, visit.now).await?;
    }
    grants::revoke_person(conn, person, why, visit.now).await?;
    Ok(())
}

async fn verified(member: &Member, mut tx: Tx, rng: &mut Rng, method: Method) -> Answer {
    let event = Event::done("person.bind")
        .with_person(&member.person.id)
        .with("method", method.as_str());
    member.note(&mut tx, rng, event).await?;
    if method == Method::Match2
        && let Some(interaction) = member.interaction.as_ref().filter(|_| may_wait(member))
    {
        // Nothing better can be had here and now: the login goes on without the real name.
        interaction::put_off_verification(&mut tx, interaction, member.now).await?;
    }
    tx.commit().await?;
    match (&member.interaction, method) {
        (Some(_), _) => member.go_door(""),
        (None, Method::Match2) => member.go_home(Notice::Provisional),
        (None, Method::Match3) => member.go_home(Notice::Verified),
    }
}

/// What asking the register came to.
pub enum Asked {
    Proven(Proof),
    TooYoung(u32),
    Problem(Problem),
}

/// Reads what was typed and asks the register. `who` is whose tries are counted. No transaction is held meanwhile, nothing is stored.
pub async fn prove(
    visit: &Visit,
    who: &str,
    name: &str,
    number: &str,
    phone: Option<&Phone>,
) -> Result<Asked, Failure> {
    let problem = |problem| Ok(Asked::Problem(problem));
    let name = match Name::parse(name) {
        Ok(name) => name,
        Err(NameError::Missing) => return problem(Problem::NameMissing),
        Err(NameError::TooLong | NameError::Character) => return problem(Problem::NameInvalid),
    };
    let number = match IdNumber::parse(number, visit.now) {
        Ok(number) => number,
        Err(NumberError::Missing) => return problem(Problem::NumberMissing),
        Err(NumberError::Fifteen) => return problem(Problem::NumberOld),
        Err(_) => return problem(Problem::NumberInvalid),
    };
    if let Some(age) = number.age(visit.now).filter(|age| *age < LEAST_AGE) {
        return Ok(Asked::TooYoung(age));
    }
    if let Some(hours) = counted(visit, who, &number).await? {
        return problem(Problem::TooManyMatches { hours });
    }
    let source = &visit.people().source;
    let answer = source
        .matches(Query {
            name: &name,
            number: &number,
            phone,
        })
        .await;
    match answer {
        Ok(Match::Yes { check_id }) => {
            let mut tx = visit.house().store.write().await?;
            let indexer = visit.keys().indexer;
            throttle::clear(&mut tx, indexer, visit.people().match_limit(), &[who]).await?;
            let limit = visit.people().document_limit();
            throttle::forgive(&mut tx, indexer, limit, &[number.plain()]).await?;
            tx.commit().await?;
            let method = if phone.is_some() {
                Method::Match3
            } else {
                Method::Match2
            };
            Ok(Asked::Proven(Proof {
                name,
                number,
                evidence: Evidence {
                    source: source.name().to_owned(),
                    method,
                    check_id,
                    at: visit.now,
                },
            }))
        }
        Ok(Match::No | Match::NoSuchNumber) => problem(Problem::NotMatched),
        Err(fault) => {
            tracing::warn!(%fault, "the population register did not help");
            // A try that got no answer is not the person's.
            let mut tx = visit.house().store.write().await?;
            let indexer = visit.keys().indexer;
            for (limit, key) in limits(visit, who, &number) {
                throttle::forgive(&mut tx, indexer, limit, &[key]).await?;
            }
            tx.commit().await?;
            problem(Problem::SourceUnavailable)
        }
    }
}

/// Counts the try; the hours to wait when there were too many.
async fn counted(visit: &Visit, who: &str, number: &IdNumber) -> Result<Option<u32>, Error> {
    let mut tx = visit.house().store.write().await?;
    let mut wait = None;
    for (limit, key) in limits(visit, who, number) {
        let pass = throttle::count(&mut tx, visit.keys().indexer, limit, &[key], visit.now).await?;
        if let Pass::Wait(seconds) = pass {
            wait = wait.max(Some(seconds));
        }
    }
    tx.commit().await?;
    Ok(wait.map(|seconds| u32::try_from((seconds + 3599) / 3600).unwrap_or(24)))
}

fn limits<'a>(visit: &Visit, who: &'a str, number: &'a IdNumber) -> [(Limit, &'a str); 2] {
    [
        (visit.people().match_limit(), who),
        (visit.people().document_limit(), number.plain()),
    ]
}

/// The same page with what was wrong, under a status that says whose fault it was.
pub fn refused(visit: &Visit, problem: &Problem, page: &dyn Page) -> axum::response::Response {
    let status = match problem {
        Problem::SourceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Problem::TooManyMatches { .. } => StatusCode::TOO_MANY_REQUESTS,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    visit.show(status, page)
}

pub fn too_young(visit: &Visit, frame: Frame, age: u32) -> Answer {
    Ok(visit.show(
        StatusCode::FORBIDDEN,
        &TooYoung {
            frame,
            asking: visit.asking(),
            base: visit.base(),
            age,
        },
    ))
}

/// What was typed goes back into its field, bounded.
pub fn bounded(typed: &str) -> String {
    typed.chars().take(100).collect()
}

/// The proof that waits for a yes, with the phone that was matched.
async fn kept(member: &Member) -> Result<Option<(Proof, Option<Phone>)>, Failure> {
    let mut conn = member.house().store.read().await?;
    let entry = entry::load(
        &mut conn,
        member.keys().sealer,
        Kind::Takeover,
        &member.place(),
        member.now,
    )
    .await?;
    Ok(entry
        // An interaction outlasts a change of accounts; the proof is of the phone of the one that gave it.
        .filter(|entry| entry.person.as_ref() == Some(&member.person.id))
        .and_then(|entry| Some((entry.proof?, entry.phone)))
        .filter(|(kept, _)| member.now.since(kept.at) <= PROOF_WAITS)
        .and_then(|(kept, phone)| {
            let proof = Proof {
                name: Name::parse(&kept.name).ok()?,
                number: IdNumber::parse(&kept.number, member.now).ok()?,
                evidence: Evidence {
                    source: member.people().source.name().to_owned(),
                    method: kept.method.parse().ok()?,
                    check_id: kept.check_id,
                    at: kept.at,
                },
            };
            Some((proof, phone.and_then(|phone| Phone::parse(&phone).ok())))
        }))
}

pub fn keep(proof: &Proof) -> KeptProof {
    KeptProof {
        name: proof.name.as_str().to_owned(),
        number: proof.number.plain().to_owned(),
        method: proof.evidence.method.as_str().to_owned(),
        check_id: proof.evidence.check_id.clone(),
        at: proof.evidence.at,
    }
}

/// Whether the platform can be served without the real name.
fn may_wait(visit: &Visit) -> bool {
    visit
        .interaction
        .as_ref()
        .and_then(|interaction| interaction.asked())
        .is_none_or(|asked| {
            asked
                .request
                .acr
                .binding
                .as_ref()
                .is_none_or(|levels| levels.contains(&Level::L1))
        })
}

fn page(member: &Member, frame: Frame, name: String, number: String) -> RealName {
    let base = member.base();
    let later = match &member.interaction {
        None => Some(base.clone()),
        Some(_) if may_wait(member) => Some(format!("{base}/verify/later")),
        Some(_) => None,
    };
    RealName {
        frame,
        asking: member.asking(),
        purpose: ProofPurpose::Verify,
        name,
        number,
        source: member.people().settings.register_name.clone(),
        phone_masked: member.person.phone.as_ref().map(Phone::masked),
        provisional: member.person.provisional,
        later,
        base,
    }
}
