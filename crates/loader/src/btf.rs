//! The running kernel's type information (BTF): whether it is there, and the names in its enums.

use std::path::{Path, PathBuf};

use libbpf_rs::btf::{Btf, types};

/// Where the kernel publishes its BTF (CONFIG_DEBUG_INFO_BTF).
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why there is no BTF to relocate against.
#[derive(Debug, thiserror::Error)]
pub enum NoBtf {
    /// The kernel publishes none and no file was named.
    #[error("this kernel publishes no BTF at {KERNEL_BTF}")]
    Kernel,
    /// The named file cannot be read.
    #[error("cannot read the BTF file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The named file is no BTF.
    #[error("{0} is neither raw BTF nor an ELF file with a .BTF section")]
    NotBtf(PathBuf),
}

/// Checks that probes can be relocated: against `custom` when named, else against the kernel's own.
///
/// # Errors
/// [`NoBtf`] says what is missing.
pub fn check(custom: Option<&Path>) -> Result<(), NoBtf> {
    let Some(path) = custom else {
        return if Path::new(KERNEL_BTF).exists() { Ok(()) } else { Err(NoBtf::Kernel) };
    };
    std::fs::File::open(path)
        .map_err(|source| NoBtf::Unreadable { path: path.to_owned(), source })?;
    Btf::from_path(path).map(drop).map_err(|_| NoBtf::NotBtf(path.to_owned()))
}

/// The names of an enum of the running kernel by value, e.g. of `sk_rst_reason`; empty when the
/// kernel has no such enum.
pub fn enum_names(custom: Option<&Path>, name: &str) -> Vec<(u32, String)> {
    let found = enums(custom, |known| known == name);
    found.into_iter().flat_map(|(_, names)| names).collect()
}

/// An enum: its name, and the names of its values.
pub type Enum = (String, Vec<(u32, String)>);

/// All enums that `wanted` takes by their names; those of modules are not among them.
pub fn enums(custom: Option<&Path>, wanted: impl Fn(&str) -> bool) -> Vec<Enum> {
    let btf = match custom {
        Some(path) => Btf::from_path(path),
        None => Btf::from_vmlinux(),
    };
    let Ok(btf) = btf else { return Vec::new() };
    let found = btf.type_by_kind::<types::Enum<'_>>().filter_map(|found| {
        let name = found.name()?.to_str().filter(|name| wanted(name))?;
        let names = found.iter().filter_map(|value| {
            let number = u32::try_from(value.value).ok()?;
            Some((number, value.name?.to_str()?.to_owned()))
        });
        Some((name.to_owned(), names.collect()))
    });
    found.collect()
}
