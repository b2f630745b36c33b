//! Who lives in the demonstration: the federation of `docs/architecture.md`, one host name each.

use crate::brand::Brand;
use crate::config::Role;

/// One entity of the demonstration.
#[derive(Debug, Clone, Copy)]
pub struct Planned {
    pub name: &'static str,
    /// In front of `.localhost`.
    pub host: &'static str,
    pub role: Role,
    /// Chinese and English name that the superior vouches for.
    pub zh: &'static str,
    pub en: &'static str,
    /// Slug of the brand whose colour its pages wear.
    pub brand: &'static str,
    pub superior: Option<&'static str>,
    /// Portals: level asked for at every login, and the algorithm wanted for ID Tokens.
    pub acr: Option<&'static str>,
    pub alg: &'static str,
}

const fn authority(
    name: &'static str,
    host: &'static str,
    zh: &'static str,
    en: &'static str,
    superior: &'static str,
) -> Planned {
    Planned {
        name,
        host,
        role: Role::Intermediate,
        zh,
        en,
        brand: "national",
        superior: Some(superior),
        acr: None,
        alg: "",
    }
}

const fn portal(
    name: &'static str,
    zh: &'static str,
    en: &'static str,
    superior: &'static str,
    acr: Option<&'static str>,
    alg: &'static str,
) -> Planned {
    Planned {
        name,
        host: name,
        role: Role::Portal,
        zh,
        en,
        brand: name,
        superior: Some(superior),
        acr,
        alg,
    }
}

/// Superiors stand before their subordinates.
pub const PLAN: [Planned; 17] = [
    Planned {
        name: "anchor",
        host: "anchor",
        role: Role::Anchor,
        zh: "国家政务服务平台",
        en: "National Government Service Platform",
        brand: "national",
        superior: None,
        acr: None,
        alg: "",
    },
    Planned {
        name: "id",
        host: "id",
        role: Role::Provider,
        zh: "国家账号",
        en: "National Account",
        brand: "national",
        superior: Some("anchor"),
        acr: None,
        alg: "",
    },
    authority("gd", "gd", "广东省", "Guangdong", "anchor"),
    authority("js", "js", "江苏省", "Jiangsu", "anchor"),
    authority("cq", "cq", "重庆市", "Chongqing", "anchor"),
    authority("gz", "gz", "贵州省", "Guizhou", "anchor"),
    authority("hi", "hi", "海南省", "Hainan", "anchor"),
    authority(
        "shifanqu",
        "shifanqu.cq",
        "示范区",
        "Demonstration District",
        "cq",
    ),
    authority(
        "shifanxian",
        "shifanxian.cq",
        "示范县",
        "Demonstration County",
        "shifanqu",
    ),
    authority(
        "shifanzhen",
        "shifanzhen.cq",
        "示范镇",
        "Demonstration Township",
        "shifanxian",
    ),
    portal("yueshengshi", "粤省事", "Yueshengshi", "gd", None, "ES256"),
    portal("sufuban", "苏服办", "Sufuban", "js", None, "RS256"),
    portal(
        "yukuaiban",
        "渝快办",
        "Yukuaiban",
        "cq",
        Some("L2"),
        "EdDSA",
    ),
    portal("guirenfuwu", "贵人服务", "Guirenfuwu", "gz", None, "ES256"),
    portal("haiyiban", "海易办", "Haiyiban", "hi", None, "RS256"),
    portal(
        "shifancun",
        "示范村便民",
        "Demonstration Village Services",
        "shifanzhen",
        None,
        "ES256",
    ),
    Planned {
        name: "register",
        host: "register",
        role: Role::Register,
        zh: "人口库（开发替身）",
        en: "Population register (development stand-in)",
        brand: "stand-in",
        superior: None,
        acr: None,
        alg: "",
    },
];

impl Planned {
    pub fn by_name(name: &str) -> Option<&'static Self> {
        PLAN.iter().find(|p| p.name == name)
    }

    /// Its identifier in a demonstration on `port`.
    pub fn id(&self, port: u16, tls: bool) -> String {
        format!(
            "{}://{}.localhost:{port}",
            if tls { "https" } else { "http" },
            self.host
        )
    }

    pub fn brand(&self) -> Brand {
        Brand::by_slug(self.brand).unwrap_or_else(|| Brand::other(self.zh))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::Province;

    #[test]
    fn superiors_come_first_and_every_brand_is_in_the_table() {
        for (i, planned) in PLAN.iter().enumerate() {
            if let Some(superior) = planned.superior {
                assert!(
                    PLAN[..i].iter().any(|p| p.name == superior),
                    "{}",
                    planned.name
                );
            }
            assert!(Brand::by_slug(planned.brand).is_some(), "{}", planned.name);
            if planned.role == Role::Intermediate && planned.superior == Some("anchor") {
                assert_eq!(
                    Province::by_iso(planned.name).map(|p| p.zh),
                    Some(planned.zh)
                );
            }
        }
        // 省市县乡村: the village's portal hangs below four intermediates.
        let mut depth = 0;
        let mut at = Planned::by_name("shifancun");
        while let Some(superior) = at.and_then(|p| p.superior) {
            depth += 1;
            at = Planned::by_name(superior);
        }
        assert_eq!(depth, 5);
    }
}
