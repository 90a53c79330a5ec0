//! Programs that take secrets in ways of their own, beyond what names of flags tell.

use super::kind::Kind;

/// What of a word is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// All of it.
    Whole,
    /// What comes after the first such byte: `user:password`.
    After(u8),
    /// The same, or nothing where there is none, since it is then the name of a file.
    Cookie,
    /// What comes after `pass:`, `key:` or `hexkey:`, as OpenSSL has it.
    Prefixed,
    /// Not this word, but the one that comes so many words later, flags not counted.
    Later(usize),
}

/// A flag whose value is secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flag {
    /// With its dashes.
    pub name: &'static str,
    pub form: Form,
    pub kind: Kind,
    /// The value may follow within the same word: `-pVALUE`, for long ones `--flag=VALUE`.
    pub attached: bool,
    /// The value may be the next word.
    pub next: bool,
    /// Only after such a word; empty for always.
    pub after: &'static str,
}

/// A program, under all its names.
#[derive(Debug)]
pub(crate) struct Program {
    pub names: &'static [&'static str],
    pub flags: &'static [Flag],
    /// Words after which the next one is secret.
    pub keywords: &'static [&'static str],
    /// So many words, flags not counted, after such a one, or after the program where that is empty. One
    /// that ends with a dot is a beginning.
    pub places: &'static [(&'static str, usize)],
    /// After one of these, what follows `=` in each word is secret.
    pub pairs_after: &'static [&'static str],
    /// Takes a secret after a file and a name with `-b`, which may stand among others: `-nb`, where `n` is
    /// for no file.
    pub is_batch: bool,
    /// Flags that here only name where a secret is.
    pub harmless: &'static [&'static str],
}

const fn flag(name: &'static str, form: Form) -> Flag {
    Flag { name, form, kind: Kind::Password, attached: true, next: true, after: "" }
}

const fn attached(name: &'static str) -> Flag {
    Flag { next: false, ..flag(name, Whole) }
}

const fn next(name: &'static str) -> Flag {
    Flag { attached: false, ..flag(name, Whole) }
}

const fn after(word: &'static str, flag: Flag) -> Flag {
    Flag { after: word, ..flag }
}

const fn of(kind: Kind, flag: Flag) -> Flag {
    Flag { kind, ..flag }
}

const NONE: Program = Program {
    names: &[],
    flags: &[],
    keywords: &[],
    places: &[],
    pairs_after: &[],
    is_batch: false,
    harmless: &[],
};

const fn flags(names: &'static [&'static str], flags: &'static [Flag]) -> Program {
    Program { names, flags, ..NONE }
}

const fn places(
    names: &'static [&'static str],
    places: &'static [(&'static str, usize)],
) -> Program {
    Program { names, places, ..NONE }
}

const fn keywords(names: &'static [&'static str], keywords: &'static [&'static str]) -> Program {
    Program { names, keywords, ..NONE }
}

use Form::{After, Cookie, Later, Prefixed, Whole};

static PROGRAMS: &[Program] = &[
    Program { names: &["gcloud"], harmless: &["--secret"], ..NONE },
    Program { names: &["duplicity"], harmless: &["--encrypt-key", "--sign-key"], ..NONE },
    Program { names: &["ffmpeg"], harmless: &["-pass"], ..NONE },
    Program { names: &["gcloud"], harmless: &["--secret"], ..NONE },
    Program { names: &["duplicity"], harmless: &["--encrypt-key", "--sign-key"], ..NONE },
    Program { names: &["ffmpeg"], harmless: &["-pass"], ..NONE },
    Program {
        keywords: &["password"],
        ..flags(
            &[
                "mysql",
                "mysqldump",
                "mysqladmin",
                "mysqlimport",
                "mysqlcheck",
                "mysqlshow",
                "mysqlslap",
                "mysqlsh",
                "mysqlbinlog",
                "mysqlpump",
                "mariadb",
                "mariadb-dump",
                "mariadb-admin",
                "mariadb-import",
                "mariadb-check",
                "xtrabackup",
                "mydumper",
                "myloader",
            ],
            &[attached("-p")],
        )
    },
    flags(
        &[
            "mongo",
            "mongosh",
            "mongodump",
            "mongorestore",
            "mongoimport",
            "mongoexport",
            "mongostat",
            "mongotop",
            "mongofiles",
        ],
        &[flag("-p", Whole)],
    ),
    Program {
        keywords: &["auth", "AUTH", "requirepass", "masterauth"],
        ..flags(&["redis-cli", "valkey-cli", "keydb-cli", "redis-benchmark"], &[flag("-a", Whole)])
    },
    flags(&["sshpass"], &[flag("-p", Whole)]),
    flags(
        &["curl"],
        &[
            flag("-u", After(b':')),
            flag("--user", After(b':')),
            flag("-U", After(b':')),
            flag("--proxy-user", After(b':')),
            of(Kind::Cookie, flag("-b", Cookie)),
            of(Kind::Cookie, flag("--cookie", Cookie)),
            flag("-E", After(b':')),
            flag("--cert", After(b':')),
            flag("--proxy-cert", After(b':')),
        ],
    ),
    flags(&["http", "https", "xh", "xhs"], &[flag("-a", After(b':')), flag("--auth", After(b':'))]),
    flags(
        &["ab"],
        &[flag("-A", After(b':')), flag("-P", After(b':')), of(Kind::Cookie, flag("-C", Cookie))],
    ),
    flags(&["hey", "bombardier", "vegeta"], &[flag("-a", After(b':'))]),
    flags(&["lftp"], &[flag("-u", After(b',')), flag("--user", After(b','))]),
    flags(&["ncftp", "ncftpget", "ncftpput", "ncftpls"], &[flag("-p", Whole)]),
    flags(
        &[
            "smbclient",
            "rpcclient",
            "net",
            "winexe",
            "wmic",
            "smbget",
            "smbcacls",
            "smbtree",
            "nmblookup",
        ],
        &[flag("-U", After(b'%')), flag("--user", After(b'%'))],
    ),
    flags(
        &[
            "smbmap",
            "crackmapexec",
            "netexec",
            "nxc",
            "evil-winrm",
            "enum4linux-ng",
            "bloodhound-python",
        ],
        &[flag("-p", Whole), of(Kind::PasswordHash, flag("-H", Whole))],
    ),
    flags(
        &[
            "secretsdump.py",
            "psexec.py",
            "wmiexec.py",
            "smbexec.py",
            "impacket-psexec",
            "impacket-secretsdump",
            "impacket-wmiexec",
            "impacket-smbexec",
        ],
        &[of(Kind::PasswordHash, next("-hashes")), of(Kind::Key, next("-aesKey"))],
    ),
    flags(
        &[
            "ldapsearch",
            "ldapadd",
            "ldapmodify",
            "ldapdelete",
            "ldapwhoami",
            "ldapmodrdn",
            "ldapcompare",
        ],
        &[flag("-w", Whole)],
    ),
    flags(&["ldappasswd"], &[flag("-w", Whole), flag("-s", Whole), flag("-a", Whole)]),
    Program {
        harmless: &["--secret"],
        ..flags(
            &[
                "docker", "podman", "nerdctl", "buildah", "skopeo", "crane", "oras", "helm", "az",
                "regctl",
            ],
            &[
                after("login", flag("-p", Whole)),
                flag("--creds", After(b':')),
                flag("--src-creds", After(b':')),
                flag("--dest-creds", After(b':')),
            ],
        )
    },
    Program {
        places: &[("login", 1)],
        pairs_after: &["put", "write", "patch"],
        ..flags(&["vault", "bao"], &[])
    },
    flags(
        &["kubectl", "oc", "k3s"],
        &[of(Kind::Secret, flag("--from-literal", After(b'='))), after("login", flag("-p", Whole))],
    ),
    Program {
        keywords: &["aws_secret_access_key", "aws_session_token"],
        ..flags(
            &["aws"],
            &[
                of(Kind::Secret, after("put-parameter", flag("--value", Whole))),
                flag("--master-user-password", Whole),
            ],
        )
    },
    flags(
        &["openssl"],
        &[
            next_form("-passin", Prefixed),
            next_form("-passout", Prefixed),
            next_form("-pass", Prefixed),
            next_form("-password", Prefixed),
            of(Kind::Key, next_form("-macopt", Prefixed)),
            after("enc", next("-k")),
            of(Kind::Key, after("enc", next("-K"))),
            of(Kind::Key, next("-hmac")),
            of(Kind::Key, next("-psk")),
        ],
    ),
    flags(&["zip", "unzip", "zipcloak"], &[flag("-P", Whole)]),
    flags(&["7z", "7za", "7zr", "7zz"], &[attached("-p")]),
    flags(&["rar", "unrar"], &[attached("-hp"), attached("-p")]),
    flags(&["sqlcmd", "bcp", "osql", "tsql", "isqlw"], &[flag("-P", Whole)]),
    places(&["isql", "iusql"], &[("", 3)]),
    flags(&["cqlsh", "cypher-shell", "couchbase-cli", "cbq", "cbbackupmgr"], &[flag("-p", Whole)]),
    keywords(&["neo4j-admin"], &["set-initial-password"]),
    flags(&["etcdctl"], &[flag("--user", After(b':'))]),
    places(&["rabbitmqctl"], &[("add_user", 2), ("change_password", 2), ("authenticate_user", 2)]),
    flags(&["rabbitmqadmin"], &[flag("-p", Whole)]),
    flags(&["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"], &[flag("-P", Whole)]),
    Program { names: &["htpasswd", "mosquitto_passwd", "htdigest"], is_batch: true, ..NONE },
    flags(&["ipmitool", "ipmipower", "ipmi-sensors"], &[flag("-P", Whole), flag("-p", Whole)]),
    flags(
        &[
            "snmpwalk",
            "snmpget",
            "snmpset",
            "snmpgetnext",
            "snmpbulkwalk",
            "snmpbulkget",
            "snmptable",
            "snmptrap",
            "snmpstatus",
            "snmpdf",
        ],
        &[flag("-A", Whole), flag("-X", Whole), flag("-c", Whole)],
    ),
    keywords(
        &["nmcli"],
        &[
            "password",
            "psk",
            "wifi.psk",
            "wifi-sec.psk",
            "802-11-wireless-security.psk",
            "802-1x.password",
            "wep-key0",
            "wifi-sec.wep-key0",
        ],
    ),
    places(&["wpa_passphrase"], &[("", 2)]),
    flags(
        &["xfreerdp", "xfreerdp3", "wlfreerdp", "sdl-freerdp"],
        &[attached("/p:"), attached("/password:"), attached("/pth:"), attached("/gp:")],
    ),
    flags(&["rdesktop"], &[flag("-p", Whole)]),
    flags(&["plink", "pscp", "psftp", "putty", "kitty"], &[next("-pw")]),
    Program {
        keywords: &["pass", "password", "secret_access_key", "obscure"],
        ..flags(&["rclone"], &[])
    },
    places(&["mc", "mcli"], &[("set", 4), ("add", 4)]),
    places(&["cargo"], &[("login", 1)]),
    places(&["composer"], &[("http-basic.", 2)]),
    flags(&["twine"], &[flag("-p", Whole)]),
    keywords(&["ngrok"], &["authtoken", "add-authtoken", "add-api-key"]),
    flags(&["useradd", "usermod", "adduser"], &[flag("-p", Whole)]),
    keywords(&["pppd", "wvdial"], &["password"]),
    flags(&["steghide"], &[flag("-p", Whole)]),
    flags(&["p4"], &[flag("-P", Whole)]),
    flags(
        &["gh"],
        &[
            of(Kind::Secret, after("secret", flag("-b", Whole))),
            of(Kind::Secret, after("secret", flag("--body", Whole))),
        ],
    ),
    flags(
        &["doctl", "fly", "flyctl", "vercel", "netlify", "heroku", "now", "surge", "railway"],
        &[of(Kind::Token, flag("-t", Whole))],
    ),
    flags(&["pulumi"], &[of(Kind::Secret, next_form("--secret", Later(2)))]),
    flags(&["influx"], &[after("setup", flag("-p", Whole)), of(Kind::Token, flag("-t", Whole))]),
    flags(&["hydra", "medusa", "ncrack"], &[flag("-p", Whole)]),
    flags(&["vncviewer", "x11vnc"], &[flag("-passwd", Whole)]),
    flags(&["sendemail", "swaks"], &[next("-xp"), next("-ap"), flag("--auth-password", Whole)]),
    flags(&["xmpp", "sendxmpp"], &[flag("-p", Whole)]),
    flags(&["ssh-keygen"], &[flag("-N", Whole), flag("-P", Whole)]),
    flags(&["gpg-preset-passphrase"], &[flag("-P", Whole)]),
    flags(&["nordvpn"], &[flag("-p", Whole)]),
];

const fn next_form(name: &'static str, form: Form) -> Flag {
    Flag { attached: false, ..flag(name, form) }
}

/// Those that join accounts and passwords with a slash: `scott/tiger@database`.
const SLASH: &[&str] = &["sqlplus", "sqlldr", "exp", "imp", "expdp", "impdp", "rman", "tkprof"];

/// Whether a program of this name takes `user/password@database`.
pub(crate) fn joins_by_slash(name: &[u8]) -> bool {
    SLASH.iter().any(|known| known.as_bytes() == name)
}

/// The program of this name.
pub(crate) fn named(name: &[u8]) -> Option<&'static Program> {
    use std::collections::HashMap;
    use std::sync::LazyLock;
    static BY_NAME: LazyLock<HashMap<&'static [u8], &'static Program, foldhash::fast::FixedState>> =
        LazyLock::new(|| {
            let names = |program: &'static Program| {
                program.names.iter().map(move |name| (name.as_bytes(), program))
            };
            PROGRAMS.iter().rev().flat_map(names).collect()
        });
    BY_NAME.get(name).copied()
}
