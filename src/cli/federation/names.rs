//! What citizens are shown of an entity: given by its superior's operator, never taken from the entity itself.

use clap::Args;
use serde_json::{Map, Value};

#[derive(Debug, Args)]
pub struct Names {
    /// The name that citizens are shown.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The same in English.
    #[arg(long, value_name = "NAME")]
    name_en: Option<String>,
    /// Address (https) of the logo that citizens are shown.
    #[arg(long, value_name = "URL")]
    logo: Option<String>,
}

impl Names {
    /// Names go into the metadata of the first type, under the parameter that its readers look for.
    pub fn metadata(&self, entity_types: &[String]) -> Option<Map<String, Value>> {
        let entity_type = entity_types.first()?;
        let parameter = if entity_type == "openid_relying_party" {
            "client_name"
        } else {
            "organization_name"
        };
        let mut names = Map::new();
        for (name, value) in [
            (parameter.to_owned(), &self.name),
            (format!("{parameter}#en"), &self.name_en),
            ("logo_uri".to_owned(), &self.logo),
        ] {
            if let Some(value) = value {
                names.insert(name, value.as_str().into());
            }
        }
        (!names.is_empty()).then(|| Map::from_iter([(entity_type.clone(), Value::Object(names))]))
    }
}
