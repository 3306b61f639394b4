class Granary < Formula
  desc "Generic package registry in one program: server and client"
  homepage "{{.url}}"
  version "{{.version}}"
  license "MIT"

  on_macos do
    on_arm do
      url "{{.archives.darwin_arm64.url}}"
      sha256 "{{.archives.darwin_arm64.sha256}}"
    end
    on_intel do
      url "{{.archives.darwin_amd64.url}}"
      sha256 "{{.archives.darwin_amd64.sha256}}"
    end
  end
  on_linux do
    on_arm do
      url "{{.archives.linux_arm64.url}}"
      sha256 "{{.archives.linux_arm64.sha256}}"
    end
    on_intel do
      url "{{.archives.linux_amd64.url}}"
      sha256 "{{.archives.linux_amd64.sha256}}"
    end
  end

  def install
    bin.install "granary"
    man1.install Dir["man/man1/*.1"]
    bash_completion.install "completions/granary.bash" => "granary"
    zsh_completion.install "completions/_granary"
    fish_completion.install "completions/granary.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/granary version")
  end
end
