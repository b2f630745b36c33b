//! The seven standard operators (§6.1.3.1) on one metadata parameter: what they accept, which may stand together,
//! how two merge, and what they do to a value. `MetadataPolicy` is the map around it.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::PolicyError;

/// One parameter's policy, valid by construction: every operator's value has a type it supports and every
/// combination is one that §6.1.3.1 allows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ParameterPolicy {
    /// `Some(Value::Null)` removes the parameter.
    value: Option<Value>,
    add: Option<Vec<Value>>,
    default: Option<Value>,
    one_of: Option<Vec<Value>>,
    subset_of: Option<Vec<Value>>,
    superset_of: Option<Vec<Value>>,
    essential: Option<bool>,
    /// Operators of `scope` whose value was written as its string, and is told so again.
    joined: BTreeSet<String>,
}

impl ParameterPolicy {
    pub(super) fn parse(parameter: &str, operators: &Value) -> Result<Self, Fault> {
        let operators = operators
            .as_object()
            .ok_or_else(|| Fault::new("", "the policy of a parameter is not an object"))?;
        let mut policy = Self::default();
        for (name, value) in operators {
            let split;
            let value = match value {
                // §6.1.3.1.8: `scope` is processed as an array, and so are operator values written as its string.
                Value::String(scopes) if parameter == SCOPE && is_standard(name) => {
                    policy.joined.insert(name.clone());
                    split = split_scope(scopes);
                    &split
                }
                other => other,
            };
            match name.as_str() {
                "value" => policy.value = Some(value.clone()),
                "add" => policy.add = Some(members("add", value)?),
                "default" if value.is_null() => {
                    return Err(Fault::new("default", "must not be null"));
                }
                "default" => policy.default = Some(value.clone()),
                "one_of" => policy.one_of = Some(members("one_of", value)?),
                "subset_of" => policy.subset_of = Some(members("subset_of", value)?),
                "superset_of" => policy.superset_of = Some(members("superset_of", value)?),
                "essential" => {
                    let essential = value
                        .as_bool()
                        .ok_or_else(|| Fault::new("essential", "is not a boolean"))?;
                    policy.essential = Some(essential);
                }
                // §6.1.3.2: what is not understood and not critical is ignored.
                _ => {}
            }
        }
        policy.check_combinations()?;
        Ok(policy)
    }

    pub(super) fn merge(self, subordinate: Self) -> Result<Self, Fault> {
        let merged = Self {
            joined: self
                .joined
                .union(&subordinate.joined)
                .filter(|name| [&self, &subordinate].iter().all(|p| p.joins(name)))
                .cloned()
                .collect(),
            value: merge_equal("value", self.value, subordinate.value)?,
            add: merge_with(self.add, subordinate.add, union),
            default: merge_equal("default", self.default, subordinate.default)?,
            one_of: merge_with(self.one_of, subordinate.one_of, intersection),
            subset_of: merge_with(self.subset_of, subordinate.subset_of, intersection),
            superset_of: merge_with(self.superset_of, subordinate.superset_of, union),
            essential: merge_with(self.essential, subordinate.essential, |a, b| a || b),
        };
        if merged.one_of.as_ref().is_some_and(Vec::is_empty) {
            return Err(Fault::new(
                "one_of",
                "no value is allowed by both superiors",
            ));
        }
        merged.check_combinations()?;
        Ok(merged)
    }

    /// Applies the operators in the order that §6.1.3.1 gives them.
    pub(super) fn apply(
        &self,
        parameter: &str,
        before: Option<Value>,
    ) -> Result<Option<Value>, Fault> {
        let mut current = match before {
            Some(Value::String(scopes)) if parameter == SCOPE => Some(split_scope(&scopes)),
            Some(_) if parameter == SCOPE => {
                return Err(Fault::new("", "scope is not a string"));
            }
            other => other,
        };

        if let Some(value) = &self.value {
            current = Some(value.clone()).filter(|value| !value.is_null());
        }
        // `value: null` stands only with an empty `add`, which must not bring back what the superior removed (§6.1.1).
        if let Some(add) = self
            .add
            .as_ref()
            .filter(|_| self.value != Some(Value::Null))
        {
            current = Some(Value::Array(match current {
                None => add.clone(),
                Some(value) => union(members("add", &value)?, add.clone()),
            }));
        }
        if current.is_none() {
            current.clone_from(&self.default);
        }
        if let (Some(one_of), Some(value)) = (&self.one_of, &current) {
            if !matches!(
                value,
                Value::String(_) | Value::Number(_) | Value::Object(_)
            ) {
                return Err(Fault::new(
                    "one_of",
                    "does not apply to a value of this type",
                ));
            }
            if !contains(one_of, value) {
                return Err(Fault::new("one_of", "the value is not among those allowed"));
            }
        }
        if let (Some(subset_of), Some(value)) = (&self.subset_of, &mut current) {
            let present = members("subset_of", value)?;
            *value = Value::Array(intersection(present, subset_of.clone()));
        }
        if let (Some(superset_of), Some(value)) = (&self.superset_of, &current) {
            let present = members("superset_of", value)?;
            if !contains_all(&present, superset_of) {
                return Err(Fault::new("superset_of", "a required value is missing"));
            }
        }
        if self.essential == Some(true) && current.is_none() {
            return Err(Fault::new("essential", "the parameter is missing"));
        }

        if parameter == SCOPE {
            return current.map(join_scope).transpose();
        }
        Ok(current)
    }

    /// What may be present after this policy, when it says so: the values of `value`, `one_of` or `subset_of`.
    pub fn allowed(&self) -> Option<&[Value]> {
        self.one_of.as_deref().or(self.subset_of.as_deref())
    }

    pub(super) fn to_json(&self) -> Value {
        let array = |values: &Option<Vec<Value>>| values.clone().map(Value::Array);
        let operators = [
            ("value", self.value.clone()),
            ("add", array(&self.add)),
            ("default", self.default.clone()),
            ("one_of", array(&self.one_of)),
            ("subset_of", array(&self.subset_of)),
            ("superset_of", array(&self.superset_of)),
            ("essential", self.essential.map(Value::Bool)),
        ];
        let told = operators.into_iter().filter_map(|(name, value)| {
            let value = value?;
            let joined = self
                .joined
                .contains(name)
                .then(|| join_scope(value.clone()));
            Some((
                name.to_owned(),
                joined.and_then(Result::ok).unwrap_or(value),
            ))
        });
        Value::Object(told.collect::<Map<_, _>>())
    }

    /// Whether the operator `name`, if it is here at all, was written as a string.
    fn joins(&self, name: &str) -> bool {
        let present = match name {
            "value" => self.value.is_some(),
            "add" => self.add.is_some(),
            "default" => self.default.is_some(),
            "one_of" => self.one_of.is_some(),
            "subset_of" => self.subset_of.is_some(),
            "superset_of" => self.superset_of.is_some(),
            _ => false,
        };
        !present || self.joined.contains(name)
    }

    /// The table of §6.1.3.1: for each statement, and again after each merge.
    fn check_combinations(&self) -> Result<(), Fault> {
        if let Some(value) = &self.value {
            if value.is_null() {
                if self.default.is_some() {
                    return Err(Fault::new("value", "null cannot stand with default"));
                }
                if self.essential == Some(true) {
                    return Err(Fault::new("value", "null cannot stand with essential"));
                }
            }
            if self
                .one_of
                .as_ref()
                .is_some_and(|one_of| !contains(one_of, value))
            {
                return Err(Fault::new("value", "is not among one_of"));
            }
            // The text says only "subset" and "superset"; null is read as no members.
            let none: &[Value] = &[];
            let members = match value {
                Value::Null => Some(none),
                other => other.as_array().map(Vec::as_slice),
            };
            let against = [
                ("add", &self.add, true),
                ("subset_of", &self.subset_of, false),
                ("superset_of", &self.superset_of, true),
            ];
            for (name, other, value_is_larger) in against {
                let Some(other) = other else { continue };
                let members = members.ok_or_else(|| {
                    Fault::new(name, "cannot stand with a value that is not an array")
                })?;
                let fits = if value_is_larger {
                    contains_all(members, other)
                } else {
                    contains_all(other, members)
                };
                if !fits {
                    return Err(Fault::new(name, "contradicts value"));
                }
            }
        }
        if self.one_of.is_some() {
            let others = [
                ("add", self.add.is_some()),
                ("subset_of", self.subset_of.is_some()),
                ("superset_of", self.superset_of.is_some()),
            ];
            if let Some((name, _)) = others.iter().find(|(_, present)| *present) {
                return Err(Fault::new(name, "cannot stand with one_of"));
            }
        }
        if let Some(subset_of) = &self.subset_of {
            for (name, inner) in [("add", &self.add), ("superset_of", &self.superset_of)] {
                if inner
                    .as_ref()
                    .is_some_and(|inner| !contains_all(subset_of, inner))
                {
                    return Err(Fault::new(name, "asks for values outside subset_of"));
                }
            }
        }
        Ok(())
    }
}

pub(super) fn is_standard(name: &str) -> bool {
    matches!(
        name,
        "value" | "add" | "default" | "one_of" | "subset_of" | "superset_of" | "essential"
    )
}

/// A fault inside one parameter's policy; the caller knows which parameter it stands at.
#[derive(Debug)]
pub(super) struct Fault {
    operator: String,
    reason: String,
}

impl Fault {
    fn new(operator: &str, reason: &str) -> Self {
        Self {
            operator: operator.to_owned(),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn at(&self, entity_type: &str, parameter: &str) -> PolicyError {
        PolicyError::new(entity_type, parameter, &self.operator, &self.reason)
    }
}

const SCOPE: &str = "scope";

fn split_scope(scopes: &str) -> Value {
    let scopes = scopes.split(' ').filter(|scope| !scope.is_empty());
    Value::Array(dedup(scopes.map(Value::from).collect()))
}

fn join_scope(scopes: Value) -> Result<Value, Fault> {
    let scopes = array("", scopes)?;
    let words: Option<Vec<&str>> = scopes.iter().map(Value::as_str).collect();
    words
        .map(|words| Value::String(words.join(" ")))
        .ok_or_else(|| Fault::new("", "scope holds something that is not a string"))
}

/// The value of an operator that works on sets: strings, numbers or objects, each once.
fn members(operator: &str, value: &Value) -> Result<Vec<Value>, Fault> {
    let values = value
        .as_array()
        .ok_or_else(|| Fault::new(operator, "is not an array"))?;
    let supported = |value: &Value| {
        matches!(
            value,
            Value::String(_) | Value::Number(_) | Value::Object(_)
        )
    };
    if !values.iter().all(supported) {
        return Err(Fault::new(operator, "holds a value of an unsupported type"));
    }
    Ok(dedup(values.clone()))
}

fn array(operator: &str, value: Value) -> Result<Vec<Value>, Fault> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(Fault::new(operator, "the value is not an array")),
    }
}

fn merge_with<T>(a: Option<T>, b: Option<T>, both: impl FnOnce(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (one, other) => one.or(other),
    }
}

fn merge_equal(operator: &str, a: Option<Value>, b: Option<Value>) -> Result<Option<Value>, Fault> {
    match (a, b) {
        (Some(a), Some(b)) if !equal(&a, &b) => {
            Err(Fault::new(operator, "differs from the superior's"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// Arrays are sets here: their order carries no meaning.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => contains_all(a, b) && contains_all(b, a),
        _ => same(a) == same(b),
    }
}

/// What a value is compared as: 1 and 1.0 are one number (RFC 8259 §6 knows no integers).
fn same(value: &Value) -> Cow<'_, Value> {
    let inner = |value: &Value| same(value).into_owned();
    match value {
        Value::Number(number) if number.is_f64() => {
            // Written without a fraction when there is none.
            let whole = number
                .as_f64()
                .and_then(|n| n.to_string().parse::<i64>().ok());
            whole.map_or(Cow::Borrowed(value), |whole| Cow::Owned(whole.into()))
        }
        Value::Array(values) => Cow::Owned(values.iter().map(inner).collect()),
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), inner(value)));
            Cow::Owned(Value::Object(members.collect()))
        }
        _ => Cow::Borrowed(value),
    }
}

// Strangers choose the lengths, so these are linear.

fn contains(set: &[Value], item: &Value) -> bool {
    let item = same(item);
    set.iter().any(|value| same(value) == item)
}

fn contains_all(set: &[Value], items: &[Value]) -> bool {
    let set: HashSet<Cow<'_, Value>> = set.iter().map(same).collect();
    items.iter().all(|item| set.contains(&same(item)))
}

fn union(mut a: Vec<Value>, b: Vec<Value>) -> Vec<Value> {
    a.extend(b);
    dedup(a)
}

/// Keeps the order of `a`.
fn intersection(a: Vec<Value>, b: Vec<Value>) -> Vec<Value> {
    let b: HashSet<Cow<'_, Value>> = b.iter().map(same).collect();
    dedup(
        a.into_iter()
            .filter(|value| b.contains(&same(value)))
            .collect(),
    )
}

fn dedup(values: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    values
        .into_iter()
        .filter(|value| seen.insert(same(value).into_owned()))
        .collect()
}
