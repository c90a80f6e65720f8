//! Who may do what: roles, rights, and the regions that a person is limited to.
//!
//! One person has one role, so that duties stay apart whatever anybody configures: who manages people sees no case,
//! and who audits changes nothing.

use domain::RegionCode;

/// What a person is at the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// 查看: sees alerts and cases.
    Viewer,
    /// 核查: works on cases and proposes decisions.
    Reviewer,
    /// 复核: the same, and approves what others proposed.
    Supervisor,
    /// 审计: sees cases and the audit trail, and changes nothing.
    Auditor,
    /// 管理: manages people, and sees no case.
    Administrator,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 5] = [
        Role::Viewer,
        Role::Reviewer,
        Role::Supervisor,
        Role::Auditor,
        Role::Administrator,
    ];

    /// The word in store and forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Reviewer => "reviewer",
            Role::Supervisor => "supervisor",
            Role::Auditor => "auditor",
            Role::Administrator => "administrator",
        }
    }

    /// The role of a word.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// Whether the role has the right. The one place where this is decided.
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Open | Right::Own => true,
            Right::SeeCases => !matches!(self, Role::Administrator),
            Right::Work | Right::Reveal | Right::Export => {
                matches!(self, Role::Reviewer | Role::Supervisor)
            }
            Right::Approve => matches!(self, Role::Supervisor),
            Right::SeeAudit => matches!(self, Role::Auditor),
            Right::ManagePeople => matches!(self, Role::Administrator),
        }
    }
}

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Nothing: whoever has no session, too.
    Open,
    /// A session: what concerns oneself.
    Own,
    /// To see alerts and cases of one's regions.
    SeeCases,
    /// To take, assign, snooze, decide on cases, and to issue letters.
    Work,
    /// To approve or return what somebody else proposed.
    Approve,
    /// To see a number in full, with a reason.
    Reveal,
    /// To take lists out of the console, with a reason.
    Export,
    /// To read the audit trail.
    SeeAudit,
    /// To add, change and disable people.
    ManagePeople,
}

/// What a token of the API may be used for, of what its owner may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// To read.
    Read,
    /// To read and to act.
    Work,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 2] = [Scope::Read, Scope::Work];

    /// The word in store and forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Work => "work",
        }
    }

    /// The scope of a word.
    pub fn parse(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether a token of the scope has the right, if its owner's role has. What needs a person who looks and gives a
    /// reason (numbers in full, exports, people's rights), none has.
    pub const fn may(self, right: Right) -> bool {
        match right {
            Right::Open | Right::Own | Right::SeeCases | Right::SeeAudit => true,
            Right::Work | Right::Approve => matches!(self, Scope::Work),
            Right::Reveal | Right::Export | Right::ManagePeople => false,
        }
    }
}

/// Of which regions somebody sees cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regions {
    /// Of the whole pool.
    All,
    /// Of these alone.
    Only(Vec<RegionCode>),
}

impl Regions {
    /// Whether a region's code is among them.
    pub fn cover(&self, code: &str) -> bool {
        match self {
            Regions::All => true,
            Regions::Only(codes) => codes.iter().any(|known| known.as_str() == code),
        }
    }

    /// As the store has it: `*`, or codes with commas between them.
    pub fn as_text(&self) -> String {
        match self {
            Regions::All => "*".to_owned(),
            Regions::Only(codes) => {
                let codes: Vec<&str> = codes.iter().map(RegionCode::as_str).collect();
                codes.join(",")
            }
        }
    }

    /// The reverse of [`Regions::as_text`]; what is no region covers nothing.
    pub fn parse(text: &str) -> Regions {
        if text == "*" {
            return Regions::All;
        }
        let codes = text.split(',');
        Regions::Only(
            codes
                .filter_map(|code| RegionCode::parse(code.as_bytes()))
                .collect(),
        )
    }
}

/// Somebody who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The number in the casebook.
    pub n: i64,
    /// The name to log in with.
    pub login: String,
    /// The name that others see.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Where.
    pub regions: Regions,
}

impl Person {
    /// Whether the person's role has the right.
    pub const fn may(&self, right: Right) -> bool {
        self.role.may(right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S12: system administrator, auditor and reviewer are apart (等保 8.1.4.2 d).
    #[test]
    fn s12_duties_are_separate() {
        use Right::{Approve, Export, ManagePeople, Reveal, SeeAudit, SeeCases, Work};
        for (role, rights) in [
            (Role::Viewer, &[SeeCases][..]),
            (Role::Reviewer, &[SeeCases, Work, Reveal, Export]),
            (Role::Supervisor, &[SeeCases, Work, Approve, Reveal, Export]),
            (Role::Auditor, &[SeeCases, SeeAudit]),
            (Role::Administrator, &[ManagePeople]),
        ] {
            for right in [
                SeeCases,
                Work,
                Approve,
                Reveal,
                Export,
                SeeAudit,
                ManagePeople,
            ] {
                assert_eq!(
                    role.may(right),
                    rights.contains(&right),
                    "{role:?} {right:?}"
                );
            }
        }
    }

    #[test]
    fn regions_survive_the_store() {
        for text in ["*", "341002", "341002,341021"] {
            assert_eq!(Regions::parse(text).as_text(), text);
        }
        assert!(Regions::parse("*").cover("341002"));
        assert!(!Regions::parse("341002").cover("341021"));
        assert!(!Regions::parse("").cover(""));
    }
}
