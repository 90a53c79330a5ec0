//! The words of the language: operators, modifiers, transformers.

macro_rules! words {
    (
        $(#[$attribute:meta])*
        $name:ident { $($(#[$of_variant:meta])* $variant:ident = $word:literal,)* }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$of_variant])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// As it is written.
            pub fn word(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)*
                }
            }

            /// What is written so.
            pub fn of_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some($name::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

words! {
    /// How two values are compared.
    Operator {
        /// There is a value.
        Exists = "exists",
        /// They are the same.
        Equal = "=",
        /// They differ.
        NotEqual = "!=",
        /// Less.
        Less = "<",
        /// Less, or the same.
        LessOrEqual = "<=",
        /// Greater.
        Greater = ">",
        /// Greater, or the same.
        GreaterOrEqual = ">=",
        /// The right one is somewhere in the left one.
        Contains = "contains",
        /// As `contains`, upper and lower case of ASCII being the same.
        IContains = "icontains",
        /// As `contains`, the right one being bytes in hexadecimal digits.
        BContains = "bcontains",
        /// The left one begins with the right one.
        StartsWith = "startswith",
        /// As `startswith`, the right one being bytes in hexadecimal digits.
        BStartsWith = "bstartswith",
        /// The left one ends with the right one.
        EndsWith = "endswith",
        /// The left one is as a pattern with `*`, `?` and `[…]` says.
        Glob = "glob",
        /// As `glob`, upper and lower case of ASCII being the same.
        IGlob = "iglob",
        /// The whole left one is as a regular expression says.
        Regex = "regex",
        /// All values are among those of the right.
        In = "in",
        /// Some value is among those of the right.
        Intersects = "intersects",
        /// A path that begins with one of the paths of the right, which may have wildcards.
        PMatch = "pmatch",
    }
}

impl Operator {
    /// It compares with a list.
    pub fn takes_list(self) -> bool {
        matches!(self, Self::In | Self::Intersects | Self::PMatch)
    }

    /// It compares which is greater.
    pub fn is_ordering(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }

    /// It can have a [`Modifier`].
    pub fn takes_modifier(self) -> bool {
        !self.takes_list() && self != Self::Exists
    }
}

words! {
    /// With how many of a list's items a comparison has to hold.
    Modifier {
        /// Exactly one.
        OneOf = "oneof",
        /// At least one.
        AnyOf = "anyof",
        /// Each.
        AllOf = "allof",
    }
}

words! {
    /// What makes another value of a value before it is compared or printed.
    Transformer {
        /// Lower case of ASCII.
        ToLower = "tolower",
        /// Upper case of ASCII.
        ToUpper = "toupper",
        /// Decoded from Base64 (RFC 4648).
        Base64 = "b64",
        /// What follows the last slash.
        BaseName = "basename",
        /// How many bytes, or how many values a list has.
        Length = "len",
        /// Values with a text between.
        Join = "join",
        /// Values one after the other.
        Concat = "concat",
        /// Options of a command line, as getopt(3) takes them.
        GetOpt = "getopt",
    }
}
