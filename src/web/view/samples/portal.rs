//! A portal's own pages.

use super::{Set, guangdong, hop};
use crate::web::view::{
    Page, Place, Way,
    error::{ErrorKind, ErrorPage},
    portal::{PortalHome, PortalSignedOut, SignedOutBy, Visitor},
};

impl Set {
    pub(super) fn portals(&self, add: &mut impl FnMut(&str, String)) {
        for (slug, region) in [
            ("yueshengshi", "广东省"),
            ("sufuban", "江苏省"),
            ("yukuaiban", "重庆市"),
            ("guirenfuwu", "贵州省"),
            ("haiyiban", "海南省"),
            ("shifancun", "示范村"),
        ] {
            let page = PortalHome {
                frame: self.frame(Place::Portal, slug),
                region: region.to_owned(),
                visitor: None,
            };
            add(&format!("PortalHome.{slug}"), page.html());
        }
        let claims = [
            ("iss", "http://id.localhost:8000"),
            ("sub", "pw_7Qm2k0"),
            ("acr", "https://hefu.example/acr/L1"),
            ("name", "测试甲"),
            ("cn_id_number_masked", "4499**********0014"),
        ];
        let chain = vec![
            hop("国家账号", "http://id.localhost:8000", true),
            hop("国家平台", "http://anchor.localhost:8000", false),
        ];
        let visitor = Visitor {
            name: Some("测试甲".to_owned()),
            level: Some("rn2".to_owned()),
            number_masked: Some("4499**********0014".to_owned()),
            acr: Some("https://hefu.example/acr/L1".to_owned()),
            sub: "pw_7Qm2k0vYx3LrT9bNaE5hUw".to_owned(),
            claims: claims
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .to_vec(),
            chain: guangdong().chain,
            provider_chain: chain.clone(),
        };
        let page = PortalHome {
            frame: self.frame(Place::Portal, "yueshengshi"),
            region: "广东省".to_owned(),
            visitor: Some(visitor),
        };
        add("PortalHome.signed-in", page.html());
        let page = PortalHome {
            frame: self.frame(Place::Portal, "sufuban"),
            region: "江苏省".to_owned(),
            visitor: Some(Visitor {
                name: None,
                level: None,
                number_masked: None,
                acr: None,
                sub: "x".to_owned(),
                claims: Vec::new(),
                chain: Vec::new(),
                provider_chain: chain,
            }),
        };
        add("PortalHome.little", page.html());
        for by in [
            SignedOutBy::Here,
            SignedOutBy::OnlyHere,
            SignedOutBy::National,
        ] {
            let page = PortalSignedOut {
                frame: self.frame(Place::Portal, "yukuaiban"),
                by,
            };
            add(&format!("PortalSignedOut.{by:?}"), page.html());
        }
        let page = ErrorPage {
            frame: self.frame(Place::Portal, "guirenfuwu"),
            kind: ErrorKind::Refused,
            code: "access_denied".to_owned(),
            description: None,
            reference: "7K2M-90QF".to_owned(),
            back: Some(Way {
                name: "贵人服务".to_owned(),
                url: "/".to_owned(),
            }),
        };
        add("ErrorPage.portal", page.html());
    }
}
