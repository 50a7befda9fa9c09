//! The one table of cmdlets and parameters: parsing, help and the reference are made from it.

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// Nothing, or `:$true` and `:$false` behind it.
    Switch,
    /// `$true` or `$false`.
    Boolean,
    /// A date.
    DateTime,
    /// A GUID.
    Guid,
    /// One of the words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// The type as the help shows it; none for a switch.
    pub fn type_name(self) -> Option<&'static str> {
        match self {
            Self::Text => Some("String"),
            Self::Switch => None,
            Self::Boolean => Some("Boolean"),
            Self::DateTime => Some("DateTime"),
            Self::Guid => Some("Guid"),
            Self::Word(_) => Some("Word"),
        }
    }
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name, without the dash.
    pub name: &'static str,
    /// A shorter name, where it has one.
    pub alias: Option<&'static str>,
    /// What it takes.
    pub kind: Kind,
    /// Whether it may stand without its name.
    pub positional: bool,
    /// Whether it must be given.
    pub mandatory: bool,
    /// What it is for.
    pub help: &'static str,
}

/// Which native command does a cmdlet's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `mms status`
    Status,
    /// `mms history`
    History,
    /// `mms start`; with `-WhatIf` `mms preview`
    Start,
    /// `mms config tenant`
    GetTenantConfiguration,
    /// `mms config tenant --meeting-migration-enabled`
    SetTenantConfiguration,
    /// `mms config dial-in`
    GetDialInSettings,
    /// `mms config dial-in --automatically-migrate-user-meetings`
    SetDialInSettings,
    /// `mms event UpgradePolicyGranted`
    GrantUpgradePolicy,
}

/// One cmdlet.
#[derive(Debug, Clone, Copy)]
pub struct Cmdlet {
    /// Its name.
    pub name: &'static str,
    /// Other names of it.
    pub aliases: &'static [&'static str],
    /// What it does, in one sentence.
    pub synopsis: &'static str,
    /// Who does its work.
    pub verb: Verb,
    /// Its own parameters.
    pub parameters: &'static [Parameter],
}

const fn named(name: &'static str, kind: Kind, help: &'static str) -> Parameter {
    Parameter { name, alias: None, kind, positional: false, mandatory: false, help }
}

const fn positional(name: &'static str, mandatory: bool, help: &'static str) -> Parameter {
    Parameter { name, alias: None, kind: Kind::Text, positional: true, mandatory, help }
}

const fn aliased(name: &'static str, alias: &'static str, kind: Kind, help: &'static str) -> Parameter {
    Parameter { name, alias: Some(alias), kind, positional: false, mandatory: false, help }
}

const STATES: Kind = Kind::Word(&["Pending", "InProgress", "Failed", "Succeeded"]);
const IDENTITY: &str = "The user: SIP address, user principal name, domain\\logon, display name, distinguished name or object id.";
const START: Parameter = named(
    "StartTime",
    Kind::DateTime,
    "Migrations whose life touches the period from here (ISO 8601 or month/day/year; UTC without zone).",
);
const END: Parameter = named(
    "EndTime",
    Kind::DateTime,
    "Migrations whose life touches the period up to here, inclusive; a bare date means the whole day.",
);
const WHAT_IF: Parameter =
    aliased("WhatIf", "wi", Kind::Switch, "Shows what would be done, and does nothing.");
const CONFIRM: Parameter = aliased(
    "Confirm",
    "cf",
    Kind::Switch,
    "Asks before it acts; -Confirm:$false (the default here) does not ask.",
);

const FILTER: Parameter = named("Filter", Kind::Text, "A wildcard pattern for the Identity.");
const LOCAL_STORE: Parameter = named("LocalStore", Kind::Switch, "Accepted; there is one store.");
const TENANT: Parameter = named("Tenant", Kind::Guid, "Accepted; there is one tenant.");
const INSTANCE: Parameter =
    named("Instance", Kind::Text, "An object from the pipeline; only the PowerShell module has one.");
const FORCE: Parameter = named("Force", Kind::Switch, "Accepted; there is nothing to force.");

/// Every cmdlet.
pub const CMDLETS: &[Cmdlet] = &[
    Cmdlet {
        name: "Get-CsMeetingMigrationStatus",
        aliases: &["Get-CsMmsStatus"],
        synopsis: "Shows the status of meeting migrations.",
        verb: Verb::Status,
        parameters: &[
            positional("Identity", false, IDENTITY),
            START,
            END,
            named("State", STATES, "Only migrations in this state."),
            named(
                "MigrationType",
                Kind::Text,
                "Only migrations of this type, such as SfbToTeams or AllToJitsi.",
            ),
            named("SummaryOnly", Kind::Switch, "One row for each state with the number of users."),
        ],
    },
    Cmdlet {
        name: "Get-CsMeetingMigrationTransactionHistory",
        aliases: &[],
        synopsis: "Shows every state change and meeting outcome of a user's migrations.",
        verb: Verb::History,
        parameters: &[
            positional("Identity", true, IDENTITY),
            named("CorrelationId", Kind::Guid, "Only the migration with this CorrelationId."),
            START,
            END,
        ],
    },
    Cmdlet {
        name: "Start-CsExMeetingMigration",
        aliases: &[],
        synopsis: "Starts the migration of a user's meetings.",
        verb: Verb::Start,
        parameters: &[
            positional("Identity", true, IDENTITY),
            named(
                "SourceMeetingType",
                Kind::Text,
                "Which meetings: All (default), SfB, Teams, Zoom, Webex …",
            ),
            named(
                "TargetMeetingType",
                Kind::Text,
                "Where to: Current (default, refreshes each meeting where it is) or a configured platform.",
            ),
            WHAT_IF,
            CONFIRM,
        ],
    },
    Cmdlet {
        name: "Get-CsTenantMigrationConfiguration",
        aliases: &[],
        synopsis: "Shows whether migrations are enabled.",
        verb: Verb::GetTenantConfiguration,
        parameters: &[
            positional("Identity", false, "The configuration; there is one, Global."),
            FILTER,
            LOCAL_STORE,
            TENANT,
        ],
    },
    Cmdlet {
        name: "Set-CsTenantMigrationConfiguration",
        aliases: &[],
        synopsis: "Enables or disables migrations.",
        verb: Verb::SetTenantConfiguration,
        parameters: &[
            positional("Identity", false, "The configuration; there is one, Global."),
            named("MeetingMigrationEnabled", Kind::Boolean, "Whether migrations run at all."),
            INSTANCE,
            TENANT,
            FORCE,
            WHAT_IF,
            CONFIRM,
        ],
    },
    Cmdlet {
        name: "Get-CsOnlineDialInConferencingTenantSettings",
        aliases: &[],
        synopsis: "Shows the tenant's dial-in settings.",
        verb: Verb::GetDialInSettings,
        parameters: &[
            positional("Identity", false, "The settings; there are none but Global."),
            FILTER,
            LOCAL_STORE,
            TENANT,
        ],
    },
    Cmdlet {
        name: "Set-CsOnlineDialInConferencingTenantSettings",
        aliases: &[],
        synopsis: "Changes the tenant's dial-in settings.",
        verb: Verb::SetDialInSettings,
        parameters: &[
            positional("Identity", false, "The settings; there are none but Global."),
            named(
                "AutomaticallyMigrateUserMeetings",
                Kind::Boolean,
                "Whether a change of a user's audio conferencing refreshes their meetings.",
            ),
            INSTANCE,
            TENANT,
            FORCE,
            WHAT_IF,
            CONFIRM,
        ],
    },
    Cmdlet {
        name: "Grant-CsTeamsUpgradePolicy",
        aliases: &[],
        synopsis: "Records that an upgrade policy was granted, which may start a migration.",
        verb: Verb::GrantUpgradePolicy,
        parameters: &[
            positional("Identity", false, IDENTITY),
            named(
                "PolicyName",
                Kind::Text,
                "The policy, such as UpgradeToTeams or SfBWithTeamsCollabAndMeetings.",
            ),
            named(
                "MigrateMeetingsToTeams",
                Kind::Boolean,
                "Whether the user's meetings go along; $true unless it is said.",
            ),
            named("Global", Kind::Switch, "Granted to the whole tenant, which starts no migrations."),
            TENANT,
            WHAT_IF,
            CONFIRM,
        ],
    },
];

const ACTIONS: Kind =
    Kind::Word(&["Break", "Continue", "Ignore", "Inquire", "SilentlyContinue", "Stop", "Suspend"]);
const OF_POWERSHELL: &str = "Accepted; has a meaning in PowerShell only.";

/// The common parameters, which every cmdlet has.
pub const COMMON: &[Parameter] = &[
    aliased("Verbose", "vb", Kind::Switch, "Says more on stderr."),
    aliased("Debug", "db", Kind::Switch, "Says much more on stderr."),
    aliased(
        "ErrorAction",
        "ea",
        ACTIONS,
        "SilentlyContinue and Ignore keep errors off stderr; the exit code stays.",
    ),
    aliased("WarningAction", "wa", ACTIONS, OF_POWERSHELL),
    aliased("InformationAction", "infa", ACTIONS, OF_POWERSHELL),
    aliased("ProgressAction", "proga", ACTIONS, OF_POWERSHELL),
    aliased("ErrorVariable", "ev", Kind::Text, OF_POWERSHELL),
    aliased("WarningVariable", "wv", Kind::Text, OF_POWERSHELL),
    aliased("InformationVariable", "iv", Kind::Text, OF_POWERSHELL),
    aliased("OutVariable", "ov", Kind::Text, OF_POWERSHELL),
    aliased("OutBuffer", "ob", Kind::Text, OF_POWERSHELL),
    aliased("PipelineVariable", "pv", Kind::Text, OF_POWERSHELL),
];

/// The cmdlet of this name, compared without case.
pub fn find(name: &str) -> Option<&'static Cmdlet> {
    CMDLETS.iter().find(|cmdlet| {
        cmdlet.name.eq_ignore_ascii_case(name)
            || cmdlet.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}

/// Every name and alias.
pub fn names() -> impl Iterator<Item = &'static str> {
    CMDLETS.iter().flat_map(|cmdlet| std::iter::once(cmdlet.name).chain(cmdlet.aliases.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_cmdlet() {
        for cmdlet in CMDLETS {
            let mut seen = std::collections::HashSet::new();
            for parameter in cmdlet.parameters.iter().chain(COMMON) {
                for name in std::iter::once(parameter.name).chain(parameter.alias) {
                    assert!(seen.insert(name.to_ascii_lowercase()), "{} -{name}", cmdlet.name);
                }
            }
        }
    }

    #[test]
    fn cmdlets_are_found_without_case_and_by_alias() {
        assert_eq!(find("get-csmmsstatus").map(|c| c.name), Some("Get-CsMeetingMigrationStatus"));
        assert!(find("Get-CsNothing").is_none());
    }
}
