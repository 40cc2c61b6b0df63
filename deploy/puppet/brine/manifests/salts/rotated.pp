# @summary Salts that Brine makes and destroys, and what makes it do so.
# @api private
class brine::salts::rotated {
  $owner  = $brine::salts::owner
  $rotate = "${brine::salts::binary} salt rotate --config ${brine::salts::config}"
  $data   = $brine::salts::data
  $dir    = $brine::salts::dir
  $writes = $dir[0, $data.length + 1] ? {
    "${data}/" => $data,
    default    => "${data} ${dir}",
  }
  $unit   = { 'owner' => $owner, 'group' => $brine::salts::group, 'rotate' => $rotate, 'data' => $data, 'writes' => $writes }

  case $brine::salts::scheduler {
    'timer': {
      file { "${brine::salts::unit_dir}/brine-salt-rotate.service":
        ensure  => file,
        mode    => '0644',
        content => epp('brine/brine-salt-rotate.service.epp', $unit),
      }
      file { "${brine::salts::unit_dir}/brine-salt-rotate.timer":
        ensure  => file,
        mode    => '0644',
        content => epp('brine/brine-salt-rotate.timer.epp'),
      }
      if $brine::salts::start {
        exec { 'brine: systemctl daemon-reload':
          command     => 'systemctl daemon-reload',
          path        => ['/usr/bin', '/bin'],
          refreshonly => true,
          subscribe   => File["${brine::salts::unit_dir}/brine-salt-rotate.service", "${brine::salts::unit_dir}/brine-salt-rotate.timer"],
        }
        -> service { 'brine-salt-rotate.timer':
          ensure => running,
          enable => true,
        }
      }
    }
    'cron': {
      file { "${brine::salts::cron_dir}/brine-salts":
        ensure  => file,
        mode    => '0644',
        content => "# Destroys the salts of Brine that are due, and makes those that are needed soon.\n0 * * * * ${owner} ${rotate} >/dev/null\n@reboot ${owner} ${rotate} >/dev/null\n",
      }
    }
    default: {
      exec { $rotate:
        user     => $owner,
        onlyif   => "${rotate} --dry-run | grep -q '^would '",
        provider => shell,
        path     => ['/usr/bin', '/bin'],
        require  => File[$brine::salts::dir],
      }
    }
  }
}
