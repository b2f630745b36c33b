//! What can be told of a person, by claim: the value to release, and the masked one that consent shows. Which claims are asked for and
//! agreed to is `provider`'s question.

use serde_json::{Map, Value, json};

use super::person::Person;
use crate::clock::UnixTime;

/// Every claim that `person` can fill. A real name and what follows from it only when it is believed (rn2 and above).
pub fn held(person: &Person, now: UnixTime) -> Map<String, Value> {
    let mut held = Map::new();
    let mut put = |name: &str, value: Value| {
        held.insert(name.to_owned(), value);
    };
    if let Some(phone) = &person.phone {
        // OIDC Core 5.1: E.164.
        put("phone_number", json!(phone.e164()));
        put("phone_number_verified", json!(true));
    }
    if !person.has_real_name() {
        return held;
    }
    put("assurance_level", json!(person.level.as_str()));
    if let Some(at) = person.verified_at {
        put("updated_at", json!(at.0));
    }
    if let Some(name) = &person.name {
        put("name", json!(name.as_str()));
    }
    let Some(number) = &person.number else {
        return held;
    };
    put("cn_id_type", json!(number.kind()));
    put("cn_id_number", json!(number.plain()));
    put("cn_id_number_masked", json!(number.masked()));
    if let Some(birthdate) = number.birthdate() {
        put("birthdate", json!(birthdate));
    }
    if let Some(age) = number.age(now) {
        put("cn_age_over_14", json!(age >= 14));
        put("cn_age_over_18", json!(age >= 18));
        put("cn_age_over_60", json!(age >= 60));
    }
    held
}

/// What a page shows for `claim`, personal values masked; `None` when the person cannot fill it.
pub fn shown(person: &Person, claim: &str, now: UnixTime) -> Option<String> {
    let value = held(person, now).remove(claim)?;
    Some(match claim {
        "name" => person.name.as_ref()?.masked(),
        "cn_id_number" => person.number.as_ref()?.masked(),
        "phone_number" => person.phone.as_ref()?.masked(),
        "birthdate" => {
            let birthdate = value.as_str()?;
            format!("{}-**-**", birthdate.get(..4)?)
        }
        "updated_at" => UnixTime(value.as_i64()?).to_chinese(),
        _ => match value {
            Value::String(text) => text,
            other => other.to_string(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PersonId;
    use crate::identity::{IdNumber, Name, Phone, RealNameLevel};

    const NOW: UnixTime = UnixTime(1_795_400_000);

    fn person(level: RealNameLevel) -> Person {
        Person {
            id: PersonId("p_1".to_owned()),
            created_at: NOW,
            closed_at: None,
            level,
            name: Name::parse("测试甲").ok(),
            number: IdNumber::parse("449999195003010014", NOW).ok(),
            verified_at: Some(NOW),
            provisional: level == RealNameLevel::Rn1,
            phone: Phone::parse("14000000001").ok(),
            elder: false,
        }
    }

    #[test]
    fn a_name_that_is_not_believed_is_not_told() {
        let held = held(&person(RealNameLevel::Rn1), NOW);
        let names: Vec<&str> = held.keys().map(String::as_str).collect();
        assert_eq!(names, ["phone_number", "phone_number_verified"]);
    }

    #[test]
    fn what_is_released_and_what_is_shown() {
        let person = person(RealNameLevel::Rn2);
        let held = held(&person, NOW);
        for (claim, value, seen) in [
            ("name", json!("测试甲"), "测*甲"),
            (
                "cn_id_number_masked",
                json!("4499**********0014"),
                "4499**********0014",
            ),
            (
                "cn_id_number",
                json!("449999195003010014"),
                "4499**********0014",
            ),
            ("assurance_level", json!("rn2"), "rn2"),
            ("phone_number", json!("+8614000000001"), "140****0001"),
            ("birthdate", json!("1950-03-01"), "1950-**-**"),
            ("cn_age_over_60", json!(true), "true"),
        ] {
            assert_eq!(held[claim], value, "{claim}");
            assert_eq!(shown(&person, claim, NOW).as_deref(), Some(seen), "{claim}");
        }
        assert_eq!(shown(&person, "email", NOW), None);
    }
}
