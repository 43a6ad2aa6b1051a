# The mirror of Debian that this machine uses, which has the other releases, too; read by scripts.
# shellcheck shell=sh disable=SC2034
# shellcheck disable=SC2016 # the $() is for apt-get
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
mirror=${mirror%/}
