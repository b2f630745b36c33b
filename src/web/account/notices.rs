//! What is told to phones when something happens to an account: put down with the act (`tell`), hurried along after its
//! commit (`hurry`), and otherwise sent by a job.

use std::sync::Arc;

use super::visit::Visit;
use crate::id::PersonId;
use crate::identity::notice::{self, Deliverer, Notice};
use crate::identity::{People, Phone};
use crate::random::Rng;
use crate::store::{Conn, Error};
use crate::web::house::House;
use crate::web::view::Language;
use crate::web::view::message::News;

/// Tells the holder of `phone` what happened to the account of `person`. Belongs into the transaction of the act.
pub(super) async fn tell(
    conn: &mut Conn,
    rng: &mut Rng,
    visit: &Visit,
    person: &PersonId,
    phone: Option<&Phone>,
    news: News,
) -> Result<(), Error> {
    let Some(to) = phone else { return Ok(()) };
    let notice = Notice {
        person,
        to,
        text: news.name(),
        language: visit.language().tag(),
    };
    notice::put(conn, visit.keys().sealer, rng, notice, visit.now).await
}

/// Sends what was put down, now that it is committed. Nobody waits for it; what fails is sent by the job.
pub(super) fn hurry(visit: &Visit) {
    let deliverer = deliverer(visit.house(), visit.people());
    let (mut rng, now) = (visit.house().rng(), visit.now);
    tokio::spawn(async move {
        if let Err(error) = deliverer.deliver(&mut rng, now).await {
            tracing::warn!(%error, "notices could not be sent at once");
        }
    });
}

/// Sends the notices of this provider; run by a job as well.
pub fn deliverer(house: &House, people: &People) -> Deliverer {
    Deliverer {
        store: house.store.clone(),
        sealer: Arc::clone(&house.sealer),
        gateway: Arc::clone(&people.sms),
        words: |text, language| Some(News::named(text)?.words(Language::of(language)?)),
    }
}
