//! What the demonstration says once it answers: for a person on standard error, or for a script one JSON line on
//! standard output (`docs/demo.md` describes the line; strangers' scripts depend on it).

use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::crowd;
use super::folder::Mark;
use super::operators::Told;
use super::plan::{self, Planned};
use crate::config::Role;
use crate::identity::synthetic::{CITIZENS, PASSWORD, State};

pub(super) struct Report {
    pub folder: PathBuf,
    pub mark: Mark,
    pub ca: Option<PathBuf>,
    pub consoles: Vec<Told>,
    pub json: bool,
}

impl Report {
    pub fn print(&self) -> io::Result<()> {
        if self.json { self.line() } else { self.text() }
    }

    fn id(&self, name: &str) -> String {
        Planned::by_name(name)
            .map(|p| p.id(self.mark.port, self.mark.tls))
            .unwrap_or_default()
    }

    fn plan(&self) -> impl Iterator<Item = &'static Planned> {
        plan::all(self.mark.portals > 0)
    }

    fn line(&self) -> io::Result<()> {
        let rows: Vec<_> = self
            .plan()
            .map(|p| {
                let id = self.id(p.name);
                json!({"name": p.name, "role": p.role.as_str(), "id": id, "url": format!("{id}/"),
                    "superiors": p.superior.map(|s| self.id(s)).into_iter().collect::<Vec<_>>()})
            })
            .collect();
        let citizens: Vec<_> = CITIZENS
            .iter()
            .map(|c| {
                json!({"username": c.phone, "phone": c.phone, "password": PASSWORD, "name": c.name,
                    "id_number": c.number, "state": c.state.as_str()})
            })
            .collect();
        let consoles: Vec<_> = self
            .consoles
            .iter()
            .map(|c| json!({"entity": c.entity, "url": c.url, "role": c.role, "invitation": c.invitation}))
            .collect();
        let mut line = json!({
            "version": 1,
            "pid": std::process::id(),
            "data_dir": self.folder,
            "connect": format!("127.0.0.1:{}", self.mark.port),
            "ca_file": self.ca,
            "outbox_url": format!("{}/outbox", self.id("register")),
            "entities": rows,
            "citizens": citizens,
            "console": consoles,
        });
        if self.mark.portals > 0 {
            // Names in a row: nobody wants ten thousand lines.
            line["sample_portals"] = json!({
                "first": crowd::id(1, &self.mark),
                "last": crowd::id(self.mark.portals, &self.mark),
                "count": self.mark.portals,
            });
        }
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }

    fn text(&self) -> io::Result<()> {
        let mut out = io::stderr().lock();
        writeln!(out, "\n合符 hefu demo\n")?;
        for (role, heading) in [
            (Role::Portal, "Portals: open one and press 国家账号登录"),
            (
                Role::Provider,
                "National provider (account centre at /account)",
            ),
            (Role::Anchor, "Trust anchor"),
            (Role::Intermediate, "Intermediates"),
            (
                Role::Register,
                "Development stand-ins: population register, SMS outbox",
            ),
        ] {
            writeln!(out, "{heading}")?;
            // Every province and district would be a list that nobody reads.
            for planned in plan::PLAN.iter().filter(|p| p.role == role) {
                writeln!(out, "  {}/  {}", self.id(planned.name), planned.zh)?;
            }
        }
        if self.mark.portals > 0 {
            writeln!(
                out,
                "\nFurther provinces, the districts of 重庆, and {} sample portals under them, from {}",
                self.mark.portals,
                crowd::id(1, &self.mark)
            )?;
        }
        writeln!(out, "\nPeople (synthetic; password of all: {PASSWORD})")?;
        for citizen in &CITIZENS {
            let known = match (citizen.state, citizen.elder) {
                (State::Account, false) => "has an account",
                (State::Account, true) => "has an account, in elder mode",
                (State::RegisterOnly, _) => "known to the register only",
            };
            writeln!(
                out,
                "  {}  {}  {}  {known}",
                citizen.phone, citizen.number, citizen.name
            )?;
        }
        writeln!(out, "\nSMS codes arrive at {}/outbox", self.id("register"))?;
        writeln!(
            out,
            "Data: {} (Ctrl-C stops; everything is kept)",
            self.folder.display()
        )?;
        writeln!(out, "\nOperators' consoles (docs/console.md)")?;
        for console in &self.consoles {
            match &console.invitation {
                Some(link) => writeln!(
                    out,
                    "  {}: {link}  (works once, for the first {})",
                    console.entity, console.role
                )?,
                None => writeln!(out, "  {}: {}", console.entity, console.url)?,
            }
        }
        let data = self.folder.display();
        let hefu = std::env::args().next().unwrap_or_else(|| "hefu".to_owned());
        writeln!(out, "\nNext, in another terminal:")?;
        writeln!(
            out,
            "  {hefu} federation explain {} --data {data} --entity id",
            self.id("shifancun")
        )?;
        writeln!(out, "  {hefu} doctor --data {data} --entity yueshengshi")?;
        writeln!(
            out,
            "  README.md says where citizens, portal engineers and security teams read on"
        )?;
        if let Some(ca) = &self.ca {
            writeln!(out, "Certificate authority to trust: {}", ca.display())?;
        }
        Ok(())
    }
}
