# @summary The salts folder of Brine, and what keeps the salts in it.
#
# With manage => internal, Brine makes and destroys the salts: this class makes the folder, and has
# `brine salt rotate` run by a systemd timer, by cron, or by each run of Puppet itself. With
# manage => external, Brine only reads them: this class puts the salts there that it is given, and
# destroys every other file. brine.yaml must say the same (salts.dir, salts.manage).
#
# @example Brine rotates, hourly
#   include brine::salts
#
# @example Puppet places salts, for several servers alike
#   class { 'brine::salts':
#     manage => 'external',
#     salts  => { '2026100100_2027010100_2027010300' => Sensitive(lookup('brine_salt_2026_q4')) },
#   }
#
# @param binary     The brine that is run.
# @param config     Its config file.
# @param data       Its data folder, where the records of salts are kept.
# @param dir        The salts folder. The folder around it must be there.
# @param owner      The user that Brine runs as.
# @param group      Its group.
# @param manage     Who makes and destroys salts, as salts.manage of the config.
# @param scheduler  What runs the rotation: timer (systemd), cron, or puppet (each run of Puppet).
# @param unit_dir   Where units of systemd go.
# @param cron_dir   Where files of cron go.
# @param start      Whether the timer is started; false where systemd does not run, as in an image.
# @param salts      With external: name => the salt, at least 32 bytes.
class brine::salts (
  Pattern[/\A\/[^\s'"\\]+\z/]  $binary    = '/usr/bin/brine',
  Pattern[/\A\/[^\s'"\\]+\z/]  $config    = '/etc/brine/brine.yaml',
  Pattern[/\A\/[^\s'"\\]+\z/]  $data      = '/var/lib/brine',
  Pattern[/\A\/[^\s'"\\]+\z/]  $dir       = "${data}/salts",
  String[1]                    $owner     = 'brine',
  String[1]                    $group     = 'brine',
  Enum['internal', 'external'] $manage    = 'internal',
  Enum['timer', 'cron', 'puppet'] $scheduler = 'timer',
  Pattern[/\A\/[^\s'"\\]+\z/]  $unit_dir  = '/etc/systemd/system',
  Pattern[/\A\/[^\s'"\\]+\z/]  $cron_dir  = '/etc/cron.d',
  Boolean                      $start     = true,
  Hash[Pattern[/\A\d{10}_\d{10}_\d{10}\z/], Sensitive[String[32]]] $salts = {},
) {
  # Puppet keeps a backup of what it changes or removes unless told not to: that would outlive a salt.
  file { $dir:
    ensure  => directory,
    owner   => $owner,
    group   => $group,
    mode    => '0700',
    backup  => false,
    recurse => $manage ? { 'external' => true, default => false },
    purge   => $manage ? { 'external' => true, default => false },
  }

  if $manage == 'external' {
    contain brine::salts::placed
  } else {
    contain brine::salts::rotated
  }
}
