//! Who lives in the demonstration: the federation of `docs/architecture.md`, one host name each; and who comes besides when a
//! large federation is asked for.

use std::sync::LazyLock;

use crate::brand::{Brand, PROVINCES};
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

/// The portal whose keys the many portals of a large federation share.
pub const SAMPLE: Planned = Planned {
    brand: "stand-in",
    ..portal("menhu", "样本门户", "Sample Portals", "bj", None, "ES256")
};

/// The 41 districts and counties of 重庆, as its platform counts them (with 两江新区, 高新区, 万盛经开区).
const CHONGQING: [(&str, &str, &str); 41] = [
    ("wanzhou", "万州区", "Wanzhou"),
    ("qianjiang", "黔江区", "Qianjiang"),
    ("fuling", "涪陵区", "Fuling"),
    ("yuzhong", "渝中区", "Yuzhong"),
    ("dadukou", "大渡口区", "Dadukou"),
    ("jiangbei", "江北区", "Jiangbei"),
    ("shapingba", "沙坪坝区", "Shapingba"),
    ("jiulongpo", "九龙坡区", "Jiulongpo"),
    ("nanan", "南岸区", "Nan'an"),
    ("beibei", "北碚区", "Beibei"),
    ("qijiang", "綦江区", "Qijiang"),
    ("dazu", "大足区", "Dazu"),
    ("yubei", "渝北区", "Yubei"),
    ("banan", "巴南区", "Banan"),
    ("changshou", "长寿区", "Changshou"),
    ("jiangjin", "江津区", "Jiangjin"),
    ("hechuan", "合川区", "Hechuan"),
    ("yongchuan", "永川区", "Yongchuan"),
    ("nanchuan", "南川区", "Nanchuan"),
    ("bishan", "璧山区", "Bishan"),
    ("tongliang", "铜梁区", "Tongliang"),
    ("tongnan", "潼南区", "Tongnan"),
    ("rongchang", "荣昌区", "Rongchang"),
    ("kaizhou", "开州区", "Kaizhou"),
    ("liangping", "梁平区", "Liangping"),
    ("wulong", "武隆区", "Wulong"),
    ("chengkou", "城口县", "Chengkou"),
    ("fengdu", "丰都县", "Fengdu"),
    ("dianjiang", "垫江县", "Dianjiang"),
    ("zhongxian", "忠县", "Zhongxian"),
    ("yunyang", "云阳县", "Yunyang"),
    ("fengjie", "奉节县", "Fengjie"),
    ("wushan", "巫山县", "Wushan"),
    ("wuxi", "巫溪县", "Wuxi"),
    ("shizhu", "石柱土家族自治县", "Shizhu"),
    ("xiushan", "秀山土家族苗族自治县", "Xiushan"),
    ("youyang", "酉阳土家族苗族自治县", "Youyang"),
    ("pengshui", "彭水苗族土家族自治县", "Pengshui"),
    ("liangjiang", "两江新区", "Liangjiang New Area"),
    ("gaoxin", "重庆高新区", "Chongqing High-Tech Zone"),
    ("wansheng", "万盛经开区", "Wansheng Development Zone"),
];

/// Who comes besides when a large federation is asked for: the provinces that are not in [`PLAN`], the districts of 重庆,
/// and the sample portal.
static FURTHER: LazyLock<Vec<Planned>> = LazyLock::new(|| {
    let provinces = PROVINCES
        .iter()
        .filter(|province| PLAN.iter().all(|p| p.name != province.iso))
        .map(|province| {
            authority(
                province.iso,
                province.iso,
                province.zh,
                province.en,
                "anchor",
            )
        });
    let districts = CHONGQING
        .iter()
        .map(|(name, zh, en)| authority(name, name, zh, en, "cq"));
    provinces
        .chain(districts)
        .chain(std::iter::once(SAMPLE))
        .collect()
});

/// Everyone, superiors before their subordinates; a `large` federation has every province.
pub fn all(large: bool) -> impl Iterator<Item = &'static Planned> {
    let further = large.then(|| FURTHER.iter());
    PLAN.iter().chain(further.into_iter().flatten())
}

/// The types of trust marks that the anchor knows; every province may give them.
pub const MARK_TYPES: [&str; 3] = ["real-name-full", "level-4", "tested"];

/// Marks that provinces have given: type, issuer, bearer.
pub const MARKS: [(&str, &str, &str); 2] = [
    ("real-name-full", "gd", "yueshengshi"),
    ("tested", "gz", "guirenfuwu"),
];

/// The identifier of a trust mark type: a URL below the anchor, as §7 of OpenID Federation 1.0 advises.
pub fn mark_type(name: &str, port: u16, tls: bool) -> String {
    let anchor = PLAN[0].id(port, tls);
    format!("{anchor}/trust-marks/{name}")
}

impl Planned {
    pub fn by_name(name: &str) -> Option<&'static Self> {
        all(true).find(|p| p.name == name)
    }

    /// Its identifier in a demonstration on `port`.
    pub fn id(&self, port: u16, tls: bool) -> String {
        of_host(self.host, port, tls)
    }

    pub fn brand(&self) -> Brand {
        Brand::by_slug(self.brand).unwrap_or_else(|| Brand::other(self.zh))
    }
}

/// The identifier of whoever lives at `host`, below `localhost`.
pub fn of_host(host: &str, port: u16, tls: bool) -> String {
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{host}.localhost:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::Province;

    #[test]
    fn superiors_come_first_and_every_brand_is_in_the_table() {
        let everyone: Vec<_> = all(true).collect();
        for (i, planned) in everyone.iter().enumerate() {
            let before = &everyone[..i];
            if let Some(superior) = planned.superior {
                assert!(
                    before.iter().any(|p| p.name == superior),
                    "{}",
                    planned.name
                );
            }
            let same = |p: &&&Planned| p.name == planned.name || p.host == planned.host;
            assert!(before.iter().find(same).is_none(), "{}", planned.name);
            assert!(Brand::by_slug(planned.brand).is_some(), "{}", planned.name);
            if planned.role == Role::Intermediate && planned.superior == Some("anchor") {
                assert_eq!(
                    Province::by_iso(planned.name).map(|p| p.zh),
                    Some(planned.zh)
                );
            }
        }
        let authorities = |superior| {
            let below =
                |p: &&&Planned| p.superior == Some(superior) && p.role == Role::Intermediate;
            everyone.iter().filter(below).count()
        };
        assert_eq!((authorities("anchor"), authorities("cq")), (31, 42));
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
