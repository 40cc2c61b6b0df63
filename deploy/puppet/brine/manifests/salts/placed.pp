# @summary Salts that Puppet places: those it is given are there, all others are destroyed.
# @api private
class brine::salts::placed {
  $dir = $brine::salts::dir

  $brine::salts::salts.each |String $salt_name, Sensitive $salt| {
    file { "${dir}/${salt_name}":
      ensure    => file,
      content   => $salt,
      owner     => $brine::salts::owner,
      group     => $brine::salts::group,
      mode      => '0600',
      backup    => false,
      show_diff => false,
    }
  }

  # Overwritten before the folder is purged: an unlinked file's blocks stay as they were.
  $kept  = $brine::salts::salts.keys.map |String $salt_name| { "! -name '${salt_name}'" }
  $found = "find '${dir}' -maxdepth 1 -type f ${kept.join(' ')}"
  exec { "overwrite what is no salt of ${dir} any more":
    command  => "${found} -exec shred --force --remove {} +",
    onlyif   => "test -d '${dir}' && ${found} | grep -q .",
    provider => shell,
    path     => ['/usr/bin', '/bin'],
    before   => File[$dir],
  }
}
