# ruby-beaneater, unmodified: client.rb HOST:PORT. Fails with what isn't as it should be.
require 'timeout'
require 'beaneater'

def same(expected, found, what)
  raise "#{what}: expected #{expected.inspect}, found #{found.inspect}" unless expected == found
end

server = Beaneater.new(ARGV.fetch(0))
tube = server.tubes['ruby.mail']
first = tube.put('{"to":"ann"}', pri: 1000, ttr: 60)
same('INSERTED', first[:status], 'put')
tube.put('second', pri: 5000, delay: 100)

same('{"to":"ann"}', tube.peek(:ready).body, 'peek ready')
same('second', tube.peek(:delayed).body, 'peek delayed')
same(nil, tube.peek(:buried), 'peek buried')
same([1, 1], [tube.stats.current_jobs_ready, tube.stats.current_jobs_delayed], 'stats of the tube')

server.tubes.watch!('ruby.mail')
same(['ruby.mail'], server.tubes.watched.map(&:name), 'watched')
job = server.tubes.reserve(5)
same(['{"to":"ann"}', first[:id]], [job.body, job.id], 'reserve')
same(['reserved', 1000, 60, 1], [job.stats.state, job.stats.pri, job.stats.ttr, job.stats.reserves], 'stats of the job')
job.touch
job.bury(pri: 7)
same('buried', job.stats.state, 'bury')
same('1', tube.kick(10)[:id], 'kick')
job = server.tubes.reserve(5)
job.release(pri: 1, delay: 0)
job = server.tubes.reserve(5)
same([3, 1, 1, 1], [job.stats.reserves, job.stats.releases, job.stats.buries, job.stats.kicks], 'the course of the job')
job.delete
begin
  job.delete
  raise 'a job is deleted twice'
rescue Beaneater::NotFoundError
  # as it should be
end
begin
  server.tubes.reserve(0)
  raise 'there was nothing to reserve'
rescue Beaneater::TimedOutError
  # as it should be
end

tube.pause(100)
same(100, tube.stats.pause, 'pause')
tube.pause(0)
same('KICKED', tube.kick(1)[:status], 'kick of a delayed one')
same('second', server.tubes.reserve(5).body, 'the delayed one')

# A worker's loop: what fails is buried, what is done is deleted.
server.jobs.register('ruby.work', retry_on: [Timeout::Error]) do |work|
  raise Beaneater::AbortProcessingError if work.body == 'stop'
  raise 'it is broken' if work.body == 'broken'
end
work = server.tubes['ruby.work']
work.put('good', pri: 1)
work.put('broken', pri: 1_000_000)
work.put('stop', pri: 4_000_000_000)
server.jobs.process!(release_delay: 1, reserve_timeout: 2)
same([0, 2], [work.stats.current_jobs_ready, work.stats.current_jobs_buried], 'after the worker')
work.clear
same(0, work.stats.current_jobs_buried, 'clear')
raise 'tubes' unless server.tubes.all.map(&:name).include?('ruby.work')
same(false, server.stats.draining, 'stats')
server.close
puts 'ok'
